package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page is up to date with the go.mod files.
func TestPage(t *testing.T) {
	var got strings.Builder
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("docs/dependencies.md is not what this writes: go run ./integration/dependencies > docs/dependencies.md\n%s", got.String())
	}
}

func TestLicence(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n  Version 2.0, January 2004":                                                              "Apache-2.0",
		"Permission is hereby granted, free of\ncharge, ...\nTHE SOFTWARE IS PROVIDED \"AS IS\"":                   "MIT",
		"Redistribution and use in source and binary forms\n* Neither the name of ...":                             "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided": "BSD-2-Clause",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := licence(dir); got != want || err != nil {
			t.Errorf("%q is %q, %v", want, got, err)
		}
	}
	if got, err := licence(t.TempDir()); err == nil {
		t.Errorf("no file is %q", got)
	}
}
