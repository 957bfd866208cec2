package documents_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The fields of an entry in OpenTelemetry's registry.
// https://opentelemetry.io/ecosystem/registry/schema.json
type registryEntry struct {
	Title        string
	RegistryType string `json:"registryType"`
	Language     string
	Description  string
	License      string
	Tags         []string
	CreatedAt    string `json:"createdAt"`
	Authors      []struct{ Name, Email, URL string }
	URLs         struct{ Repo, Docs, Website, Blog string }
	Package      struct {
		Name, Version, Registry string
		QuickInstall            bool `json:"quickInstall"`
	}
	IsNative     bool `json:"isNative"`
	IsFirstParty bool `json:"isFirstParty"`
}

func TestRegistryEntries(t *testing.T) {
	files, err := filepath.Glob(root + "docs/registry/*.yml")
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		var e registryEntry
		strictly(t, name, &e)
		if e.Title == "" || e.Description == "" || e.RegistryType != "instrumentation" || e.Language != "go" || len(e.Authors) == 0 {
			t.Errorf("%s: %+v", name, e)
		}
		for _, author := range e.Authors {
			if author.Name == "" || !strings.HasPrefix(author.URL, "https://") {
				t.Errorf("%s: author %+v", name, author)
			}
		}
		if _, err := time.Parse(time.DateOnly, e.CreatedAt); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		dir := strings.TrimPrefix(e.Package.Name, "github.com/mqtrace/mqtrace/")
		if _, err := os.Stat(root + dir + "/doc.go"); err != nil || filepath.Base(name) != "instrumentation-go-"+dir+".yml" {
			t.Errorf("%s is of %s: %v", name, e.Package.Name, err)
		}
		if e.Package.Registry != "go" {
			t.Errorf("%s is in the registry %s", name, e.Package.Registry)
		}
	}
}
