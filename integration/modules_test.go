package integration_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A moduleFile is a go.mod or the go.work file, as go mod edit -json prints it.
type moduleFile struct {
	Module  struct{ Path string }
	Use     []struct{ DiskPath string }
	Require []moduleVersion
	Replace []struct{ Old, New moduleVersion }
}

type moduleVersion struct{ Path, Version string }

func readModuleFile(t *testing.T, kind, path string) moduleFile {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", kind, "edit", "-json", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var f moduleFile
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// The modules are released together, with one version, and a module with replace lines can
// neither be installed nor be imported as it was tested. Whoever imports one of our modules
// gets everything that the root module requires, for its tests too.
func TestModuleFiles(t *testing.T) {
	checkModuleFiles(t, "..")
}

// checkModuleFiles returns the version in which the modules require each other.
func checkModuleFiles(t *testing.T, root string) (version string) {
	t.Helper()
	work := readModuleFile(t, "work", filepath.Join(root, "go.work"))
	replaced := make(map[moduleVersion]bool)
	for _, r := range work.Replace {
		replaced[r.Old] = true
	}
	for _, use := range work.Use {
		file := readModuleFile(t, "mod", filepath.Join(root, use.DiskPath, "go.mod"))
		if len(file.Replace) != 0 {
			t.Errorf("%s replaces %v", file.Module.Path, file.Replace)
		}
		for _, r := range file.Require {
			if use.DiskPath == "." {
				for _, word := range []string{"amqp", "asynq", "redis", "grpc"} {
					if strings.Contains(r.Path, word) {
						t.Errorf("the root module requires %s", r.Path)
					}
				}
			}
			if !strings.HasPrefix(r.Path+"/", module) {
				continue
			}
			if version == "" {
				version = r.Version
			}
			if r.Version != version {
				t.Errorf("%s requires %s %s, others %s", file.Module.Path, r.Path, r.Version, version)
			}
			if !replaced[r] {
				t.Errorf("go.work does not replace %s %s, which %s requires", r.Path, r.Version, file.Module.Path)
			}
		}
	}
	if version == "" {
		t.Error("no module requires another")
	}
	return version
}
