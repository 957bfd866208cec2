//go:build load

package viewload_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// view is `mqtrace view` as a separate process, so that its memory can be measured.
type view struct {
	url, addr string
	process   *os.Process
}

func startView(t *testing.T, args ...string) *view {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mqtrace")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/mqtrace").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	command := exec.Command(binary, append([]string{"view", "-addr", "127.0.0.1:0"}, args...)...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stuck := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
		defer stuck.Stop()
		if err := errors.Join(command.Process.Signal(syscall.SIGTERM), command.Wait()); err != nil {
			t.Errorf("mqtrace view: %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(line)
	return &view{url: url, addr: strings.TrimPrefix(url, "http://"), process: command.Process}
}

// residentMiB is the most memory that the process has had, and cpu the time it has had on
// the cores. Both are 0 if the operating system does not report them.
func (v *view) residentMiB(t *testing.T) int {
	t.Helper()
	var kib int
	_, after, found := strings.Cut(v.proc(t, "status"), "VmHWM:")
	if _, err := fmt.Sscan(after, &kib); found && err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

func (v *view) cpu(t *testing.T) time.Duration {
	t.Helper()
	const (
		ticks = 100 // a second, as Linux reports them
		utime = 11  // after the name in parentheses
	)
	stat := v.proc(t, "stat")
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < utime+2 {
		return 0
	}
	var user, system int
	if _, err := fmt.Sscan(strings.Join(fields[utime:utime+2], " "), &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / ticks
}

// proc reads what Linux reports about the process.
func (v *view) proc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", v.process.Pid, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// idle opens connections that send nothing, or the beginning of a large request.
func (v *view) idle(t *testing.T, connections int) {
	t.Helper()
	for n := range connections {
		conn, err := net.DialTimeout("tcp", v.addr, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if n%2 == 0 {
			_, err = fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"+
				"Content-Type: application/x-protobuf\r\nContent-Length: 20000000\r\n\r\n\x0a")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
