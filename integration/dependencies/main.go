// Dependencies writes docs/dependencies.md: the modules that a program links which
// imports carrier, amqptrace or asynqtrace, with their versions and licences.
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
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

const root = "github.com/mqtrace/mqtrace"

var packages = []string{"carrier", "amqptrace", "asynqtrace"}

//go:embed dependencies.md.tmpl
var page string

// module is one that is linked.
type module struct {
	Path    string `json:"Path"` // as go list writes it
	Version string `json:"Version"`
	Dir     string `json:"Dir"`
	Direct  bool   `json:"-"` // imported by a package of ours
	Licence string `json:"-"`
	linked  map[string]bool
}

// Uses are marks for the packages that link the module.
func (m *module) Uses() string {
	cells := make([]string, 0, len(packages))
	for _, p := range packages {
		cells = append(cells, map[bool]string{true: "yes", false: "–"}[m.linked[p]])
	}
	return strings.Join(cells, " | ")
}

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(w io.Writer) error {
	modules := make(map[string]*module)
	for _, p := range packages {
		if err := add(modules, p); err != nil {
			return err
		}
	}
	rows := make([]*module, 0, len(modules))
	for _, m := range modules {
		var err error
		if m.Licence, err = licence(m.Dir); err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		rows = append(rows, m)
	}
	slices.SortFunc(rows, func(a, b *module) int {
		if a.Direct != b.Direct {
			return map[bool]int{true: -1, false: 1}[a.Direct]
		}
		return cmp.Compare(a.Path, b.Path)
	})
	return template.Must(template.New("page").Parse(page)).Execute(w, rows)
}

// add asks the go command, for one system, so that every machine has the same answer.
func add(modules map[string]*module, pkg string) error {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Module", root+"/"+pkg) //nolint:gosec,noctx // one of packages; it ends by itself
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w: %s", err, problems.String())
	}
	owner := make(map[string]*module) // of a package
	var ours []string                 // imports
	dec := json.NewDecoder(bytes.NewReader(out))
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
		case m.Path == root:
			ours = append(ours, listed.Imports...)
		default:
			if modules[m.Path] == nil {
				m.linked = make(map[string]bool)
				modules[m.Path] = m
			}
			modules[m.Path].linked[pkg] = true
			owner[listed.ImportPath] = modules[m.Path]
		}
	}
	for _, path := range ours {
		if m := owner[path]; m != nil {
			m.Direct = true
		}
	}
	return nil
}

const redistribution = "Redistribution and use in source and binary forms"

// licences are told by words that only they have, most of them in the first of several.
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
		text, err := os.ReadFile(f) //nolint:gosec // a file of the module cache
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
	return "", fmt.Errorf("dependencies: no licence that is known in %v", files)
}
