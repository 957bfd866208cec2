// Dependencies writes docs/dependencies.md: the modules that come with carrier, amqptrace
// and asynqtrace, with their versions and licences.
//
//	go run ./integration/dependencies > docs/dependencies.md
package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

const root = "github.com/mqtrace/mqtrace"

// packages are the packages that programs import, with the directories of their modules.
var packages = []struct{ name, module string }{
	{"carrier", "."},
	{"amqptrace", "amqptrace"},
	{"asynqtrace", "asynqtrace"},
}

//go:embed dependencies.md.tmpl
var page string

// A section lists what comes with a package.
type section struct {
	Name string
	Rows []*module
}

// A module is a dependency.
type module struct {
	Path    string `json:"Path"` // as go list writes it
	Version string `json:"Version"`
	Dir     string `json:"Dir"`
	Licence string `json:"-"`
	Use     use    `json:"-"`
}

// A use is why a module is there, in order of importance.
type use int

const (
	imported use = iota
	linked
	tests
)

func (u use) String() string { return [...]string{"imported", "linked", "tests"}[u] }

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(w io.Writer) error {
	workspace, err := command("", "go", "env", "GOWORK")
	if err != nil {
		return err
	}
	top := filepath.Dir(strings.TrimSpace(string(workspace)))
	var sections []section
	for _, p := range packages {
		rows, err := dependencies(top, p.module, root+"/"+p.name)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		sections = append(sections, section{p.name, rows})
	}
	return template.Must(template.New("page").Parse(page)).Execute(w, sections)
}

// dependencies returns the modules that a package and the tests of its module need, by
// go.mod alone.
func dependencies(top, dir, pkg string) ([]*module, error) {
	temp, err := os.MkdirTemp("", "dependencies-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	file := filepath.Join(temp, "go.mod")
	if _, err := command(top, "integration/modules.sh", "modfile", dir, file); err != nil {
		return nil, err
	}
	modules := make(map[string]*module)
	for _, args := range [][]string{{pkg}, {"-test", "./..."}} {
		args = append([]string{"list", "-modfile=" + file, "-deps", "-json=ImportPath,Imports,Module"}, args...)
		out, err := command(filepath.Join(top, dir), "go", args...)
		if err != nil {
			return nil, err
		}
		if err := add(modules, out, args[len(args)-1] == pkg); err != nil {
			return nil, err
		}
	}
	rows := slices.SortedFunc(maps.Values(modules), func(a, b *module) int {
		return cmp.Or(cmp.Compare(a.Use, b.Use), cmp.Compare(a.Path, b.Path))
	})
	for _, m := range rows {
		if m.Licence, err = licence(m.Dir); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
	}
	return rows, nil
}

// command runs outside the workspace, for one system, so that the result is the same on
// every machine.
func command(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // the commands above, which end by themselves
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if dir != "" {
		cmd.Env = append(cmd.Env, "GOWORK=off")
	}
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, problems.String())
	}
	return out, nil
}

// add reads the output of go list about the packages that are linked, or also those of
// tests.
func add(modules map[string]*module, list []byte, isLinked bool) error {
	owner := make(map[string]*module) // of a package
	var ours []string                 // imports
	dec := json.NewDecoder(bytes.NewReader(list))
	for {
		var listed struct {
			ImportPath string   `json:"ImportPath"`
			Imports    []string `json:"Imports"`
			Module     *module  `json:"Module"`
		}
		if err := dec.Decode(&listed); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		switch m := listed.Module; {
		case m == nil: // the standard library
		case strings.HasPrefix(m.Path+"/", root+"/"):
			ours = append(ours, listed.Imports...)
		case modules[m.Path] == nil:
			m.Use = map[bool]use{true: linked, false: tests}[isLinked]
			modules[m.Path] = m
			fallthrough
		default:
			owner[listed.ImportPath] = modules[m.Path]
		}
	}
	for _, path := range ours {
		if m := owner[path]; m != nil && isLinked {
			m.Use = imported
		}
	}
	return nil
}

const redistribution = "Redistribution and use in source and binary forms"

// licences are recognized by their phrases; the first whose phrases are all there counts.
var licences = []struct {
	name  string
	words []string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}},
	{"MIT", []string{"Permission is hereby granted, free of charge", "THE SOFTWARE IS PROVIDED \"AS IS\""}},
	{"BSD-3-Clause", []string{redistribution, "Neither the name"}},
	{"BSD-3-Clause", []string{redistribution, "may be used to endorse or promote"}},
	{"BSD-2-Clause", []string{redistribution}},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software"}},
}

func licence(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "LICEN[SC]E*"))
	if err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := os.ReadFile(f) //nolint:gosec // a file in the module cache
		if err != nil {
			return "", err
		}
		plain := strings.Join(strings.Fields(string(text)), " ")
		for _, l := range licences {
			if !slices.ContainsFunc(l.words, func(w string) bool { return !strings.Contains(plain, w) }) {
				return l.name, nil
			}
		}
	}
	return "", fmt.Errorf("dependencies: no known licence in %v", files)
}
