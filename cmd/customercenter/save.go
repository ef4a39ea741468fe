package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
)

// stdoutName is the file name that stands for standard output.
const stdoutName = "-"

// vacant refuses a place where a file cannot be put, before there is anything to put there.
func vacant(path string, force bool) error {
	if path == stdoutName || isDevice(path) {
		return nil
	}
	switch at, err := os.Stat(path); {
	case err == nil && at.IsDir():
		return usageError{fmt.Sprintf("%s is a directory", path)}
	case err == nil && !force:
		return usageError{fmt.Sprintf("%s is there already, and stays as it is: choose another name, or overwrite it with --force", path)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if at, err := os.Stat(filepath.Dir(path)); err != nil || !at.IsDir() {
		return usageError{fmt.Sprintf("there is no directory %s", filepath.Dir(path))}
	}
	return nil
}

// isDevice reports whether a name is that of a device or a pipe, which can be written to and not be replaced.
func isDevice(path string) bool {
	at, err := os.Stat(path)
	return err == nil && !at.IsDir() && !at.Mode().IsRegular()
}

// saveFile puts a file in its place when it is complete, and returns how large it is. What is there already stays, unless force. It is for its
// owner only: it holds personal data.
func saveFile(stdout io.Writer, path string, force bool, write func(io.Writer) error) (written int64, err error) {
	if path == stdoutName {
		return through(stdout, write)
	}
	if isDevice(path) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return 0, err
		}
		written, err := through(f, write)
		return written, errors.Join(err, f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part") // mode 0600
	if err != nil {
		return 0, err
	}
	written, err = through(f, write)
	if err = errors.Join(err, f.Close()); err == nil {
		err = vacant(path, force) // since it was asked first, somebody else may have been there
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(f.Name()))
	}
	return written, nil
}

// save puts a file that the API gives in its place, and returns how large it is.
func (c *client) save(env *environment, path, file string, force bool) (int64, error) {
	r, err := c.request(env.ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	answer, err := c.send(r)
	if err != nil {
		return 0, env.interrupted(err, "There is no file.")
	}
	defer answer.Body.Close()
	written, err := saveFile(env.stdout, file, force, func(w io.Writer) error {
		_, err := io.Copy(w, answer.Body)
		return err
	})
	if err != nil {
		return 0, env.interrupted(err, "The file is not complete, and was not kept.")
	}
	return written, nil
}

// through writes, and tells how much.
func through(out io.Writer, write func(io.Writer) error) (int64, error) {
	t := &tally{to: out}
	err := write(t)
	return t.written, err
}

// tally counts what is written.
type tally struct {
	to      io.Writer
	written int64
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.to.Write(p)
	t.written += int64(n)
	return n, err
}
