package spans

// Names is a list of distinct names that only grows, to a limit.
type Names struct {
	List  []string
	known map[string]struct{}
}

const (
	maxNames      = 1000
	maxNameLength = 256
)

// NewNames makes an empty list.
func NewNames() Names { return Names{List: []string{}, known: make(map[string]struct{})} }

// Add adds a name that is not in the list yet. One that is empty, or far longer than a
// name, is not added.
func (n *Names) Add(name string) {
	if _, ok := n.known[name]; ok || name == "" || len(name) > maxNameLength || len(n.List) == maxNames {
		return
	}

	n.known[name] = struct{}{}
	n.List = append(n.List, name)
}
