package send_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/send"
)

func TestReadBody(t *testing.T) {
	const text = "\x00\xff{}\r\n\n"
	dir := t.TempDir()
	file := filepath.Join(dir, "body")
	ok(t, os.WriteFile(file, []byte(text), 0o600))
	t.Chdir(dir)
	ok(t, os.WriteFile("-", []byte("a file"), 0o600))
	for what, tt := range map[string]struct {
		name  string
		stdin io.Reader
		want  string
		err   error
	}{
		"file":          {file, iotest.ErrReader(errors.ErrUnsupported), text, nil},
		"stdin":         {"-", strings.NewReader(text), text, nil},
		"a byte a time": {"-", iotest.OneByteReader(strings.NewReader(text)), text, nil},
		"empty":         {"-", strings.NewReader(""), "", nil},
		"file named -":  {"./-", nil, "a file", nil},
		"none":          {file + "-none", nil, "", fs.ErrNotExist},
		"no name":       {"", nil, "", fs.ErrNotExist},
		"broken":        {"-", io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)), text, io.ErrUnexpectedEOF},
	} {
		if body, err := send.ReadBody(tt.name, tt.stdin); !errors.Is(err, tt.err) || string(body) != tt.want {
			t.Errorf("%s: %q, %v", what, body, err)
		}
	}
	if body, err := send.ReadBody(dir, nil); err == nil || len(body) > 0 {
		t.Errorf("a directory: %q, %v", body, err)
	}
}
