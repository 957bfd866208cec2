package peek

import (
	"bytes"
	"encoding/json"
	"io"
)

// jsonWriter writes one document, a message at a time.
type jsonWriter struct {
	out   io.Writer
	head  string // written with the first output, so that an earlier error leaves no partial document
	wrote bool
}

func newJSONWriter(out io.Writer, system, queue string) (*jsonWriter, error) {
	head, err := encode(struct {
		System string `json:"system"`
		Queue  string `json:"queue"`
	}{system, queue}, "")
	if err != nil {
		return nil, err
	}
	head = bytes.TrimSuffix(head, []byte("\n}"))
	return &jsonWriter{out: out, head: string(head) + ",\n  \"messages\": ["}, nil
}

func (w *jsonWriter) message(m *Message) error {
	text, err := encode(m, "    ")
	if err != nil {
		return err
	}
	separator := ",\n    "
	if !w.wrote {
		separator = w.head + "\n    "
		w.wrote = true
	}
	_, err = w.out.Write(append([]byte(separator), text...))
	return err
}

func (w *jsonWriter) close(s *Summary) error {
	text, err := encode(s, "  ")
	if err != nil {
		return err
	}
	end := "\n  ],\n  \"summary\": "
	if !w.wrote {
		end = w.head + "],\n  \"summary\": "
	}
	_, err = w.out.Write(append(append([]byte(end), text...), "\n}\n"...))
	return err
}

func encode(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
