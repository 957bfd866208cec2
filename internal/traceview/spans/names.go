package spans

// Names is a list of distinct names that only grows, up to a limit.
type Names struct {
	List  []string
	known map[string]struct{}
}

const (
	maxNames      = 1000
	maxNameLength = 256
)

// NewNames returns an empty list.
func NewNames() Names { return Names{List: []string{}, known: make(map[string]struct{})} }

// Add adds a name unless it is in the list already, empty, or far too long for a name.
func (n *Names) Add(name string) {
	if _, ok := n.known[name]; ok || name == "" || len(name) > maxNameLength || len(n.List) == maxNames {
		return
	}

	n.known[name] = struct{}{}
	n.List = append(n.List, name)
}
