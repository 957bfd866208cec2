package documents_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const root = "../../"

// https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms
type issueForm struct {
	Name, Description string
	Labels            []string
	Body              []struct {
		Type        string
		Attributes  struct{ Label, Description, Render string }
		Validations struct{ Required bool }
	}
}

func TestIssueForms(t *testing.T) {
	files, err := filepath.Glob(root + ".github/ISSUE_TEMPLATE/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if filepath.Base(name) == "config.yml" {
			continue
		}
		var form issueForm
		strictly(t, name, &form)
		if form.Name == "" || form.Description == "" || len(form.Body) == 0 {
			t.Errorf("%s: %+v", name, form)
		}
		for _, field := range form.Body {
			if !slices.Contains([]string{"textarea", "input"}, field.Type) || field.Attributes.Label == "" {
				t.Errorf("%s: %+v", name, field)
			}
		}
	}
	var config struct {
		BlankIssuesEnabled bool                                `json:"blank_issues_enabled"`
		ContactLinks       []struct{ Name, URL, About string } `json:"contact_links"`
	}
	strictly(t, root+".github/ISSUE_TEMPLATE/config.yml", &config)
}

// What Dependabot may not update: importers get the versions that we require, so these are
// the lowest that work.
var lowest = []string{".", "amqptrace", "asynqtrace", "auto", "adapters/watermilltrace"}

// Modules whose versions a test is about.
var pinned = []string{"integration/bench", "integration/asynq025/worker", "examples/wrappers/gocloud"}

func TestDependabotKnowsEveryModule(t *testing.T) {
	var config struct {
		Version int
		Updates []struct {
			PackageEcosystem string `json:"package-ecosystem"`
			Directories      []string
			Schedule         struct{ Interval string }
			Groups           map[string]struct {
				Patterns        []string
				ExcludePatterns []string `json:"exclude-patterns"`
			}
			Ignore []struct {
				DependencyName string `json:"dependency-name"`
			}
		}
	}
	strictly(t, root+".github/dependabot.yml", &config)
	listed := make(map[string]bool)
	for _, update := range config.Updates {
		file := map[string]string{"gomod": "go.mod", "npm": "package.json", "docker-compose": "*compose.yaml"}[update.PackageEcosystem]
		for _, dir := range update.Directories {
			if found, err := filepath.Glob(root + dir + "/" + file); err != nil || len(found) == 0 {
				t.Errorf("%s has no %s", dir, file)
			}
			if file == "go.mod" {
				listed[strings.TrimPrefix(dir, "/")] = true
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), root+"integration/modules.sh", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dir := range strings.FieldsSeq(string(out)) {
		// The modules below auto are those it is tested with.
		if !listed[dir] && !slices.Contains(lowest, dir) && !slices.Contains(pinned, dir) &&
			!strings.HasPrefix(dir, "auto/") && !strings.HasPrefix(dir, "examples/zero-code") {
			t.Errorf("neither dependabot.yml nor this test has the module %s", dir)
		}
	}
}

// strictly decodes a file, and fails on fields that the type does not have.
func strictly(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
