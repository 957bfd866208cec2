package send

import (
	"errors"
	"io"
	"os"
)

// MaxBody is RabbitMQ's default limit for the size of a message.
const MaxBody = 128 << 20

// ErrTooLarge is the error of a body over MaxBody.
var ErrTooLarge = errors.New("body is larger than 128 MiB")

// ReadBody reads a file, or stdin if the name is "-".
func ReadBody(name string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the file that the user names
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, MaxBody+1))
	if err == nil && len(body) > MaxBody {
		err = ErrTooLarge
	}
	return body, err
}
