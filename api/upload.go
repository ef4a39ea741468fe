package api

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"customercenter/domain"
	"customercenter/domain/text"
	"customercenter/internal/sheet"
)

// upload is a file that came with a request. It waits in a temporary file without a name.
type upload struct {
	name  string
	file  *os.File
	size  int64
	flags map[string]bool // the other parts of the form: true or false
}

// formMost is how much larger a form may be than its file, in bytes.
const formMost = 64 << 10

// uploadBody describes the body of an operation that takes a file.
func uploadBody() *huma.RequestBody {
	flag := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeBoolean, Description: doc} }
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{
		Type: huma.TypeObject, Required: []string{"file"}, Properties: map[string]*huma.Schema{
			"file":        {Type: huma.TypeString, Format: "binary", Description: "The file, with its name."},
			"dry_run":     flag("Begin at once with a dry run: what each row would do."),
			"create_tags": flag("Create tags that are not in the catalogue, instead of refusing the row."),
		},
	}}}}
}

// receiveUpload reads a form with a file, within bounds of size and time.
func (s *server) receiveUpload(ctx huma.Context, next func(huma.Context), most int64) {
	r, w := humachi.Unwrap(ctx)
	about := requestOf(ctx.Context())
	control := http.NewResponseController(w)
	deadline := time.Now().Add(s.bounds.upload)
	_ = control.SetReadDeadline(deadline) // a server that cannot set deadlines has none
	_ = control.SetWriteDeadline(deadline.Add(s.bounds.turn + s.bounds.work))
	r.Body = http.MaxBytesReader(w, r.Body, most+formMost)
	up, hash, err := readUpload(r, most)
	if up != nil {
		defer up.close()
	}
	if err != nil {
		_ = control.SetReadDeadline(time.Now().Add(s.bounds.body)) // the server waits no longer for the rest
	}
	var tooLarge *http.MaxBytesError
	var refusal *domain.Refusal
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
	case errors.Is(err, errFileTooLarge):
		w.Header().Set("Connection", "close") // the rest of the body is not read
		writeProblem(w, newProblem(about.language, string(sheet.TooLarge), "file", map[string]any{"max": most}))
		return
	case errors.As(err, &tooLarge):
		w.Header().Set("Connection", "close")
		writeProblem(w, newProblem(about.language, codeTooLarge, "", map[string]any{"max": most + formMost}))
		return
	case errors.As(err, &refusal):
		writeProblem(w, newProblem(about.language, refusal.Code, refusal.Location, refusal.Args))
		return
	case errors.As(err, &timeout) && timeout.Timeout():
		w.Header().Set("Connection", "close")
		p := newProblem(about.language, codeTimeout, "", nil)
		p.Status = http.StatusRequestTimeout
		writeProblem(w, p)
		return
	case errors.Is(err, errKeep):
		writeProblem(w, problemOf(ctx.Context(), err))
		return
	default:
		writeProblem(w, newProblem(about.language, domain.CodeValidation, "body", map[string]any{"rule": ruleInvalid}))
		return
	}
	_ = control.SetReadDeadline(time.Time{})
	about.upload, about.body = up, hash
	next(ctx)
}

var (
	errFileTooLarge = errors.New("api: the file is too large")
	errKeep         = errors.New("api: an upload cannot be kept")
)

// readUpload reads the form. Refused: UNSUPPORTED_MEDIA_TYPE for no form; VALIDATION for no file or several, for one without a name, and for parts
// that there are not or that come twice. hash tells this form from others. After an error too there may be a file to be closed.
func readUpload(r *http.Request, most int64) (up *upload, hash []byte, err error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, nil, domain.Refuse(codeMediaType).With("expected", "multipart/form-data")
	}
	up = &upload{flags: map[string]bool{}}
	sum := sha256.New()
	for {
		part, err := form.NextPart()
		if err == io.EOF { // as it is: one that is wrapped says that the form has no end
			break
		}
		if err != nil {
			return up, nil, err
		}
		content := sha256.New()
		if part.FormName() == "file" {
			err = up.keep(part, io.TeeReader(part, content), most)
		} else {
			err = up.flag(part, io.TeeReader(part, content))
		}
		if err != nil {
			return up, nil, err
		}
		fmt.Fprintf(sum, "%q %q %x\n", part.FormName(), part.FileName(), content.Sum(nil))
	}
	if up.file == nil {
		return up, nil, invalid("file", domain.RuleRequired)
	}
	return up, sum.Sum(nil), nil
}

func (u *upload) keep(part *multipart.Part, content io.Reader, most int64) (err error) {
	if u.file != nil {
		return domain.Invalid("file", domain.RuleTooMany).With("max", 1)
	}
	u.name = part.FileName()
	switch {
	case u.name == "":
		return invalid("file", domain.RuleRequired)
	case !text.Verbatim(u.name):
		return invalid("file", domain.RuleCharacters)
	}
	if u.file, err = os.CreateTemp("", "customercenter-upload-*"); err != nil {
		return errors.Join(errKeep, err)
	}
	_ = os.Remove(u.file.Name()) // it goes with the process, however that ends
	if u.size, err = io.Copy(u.file, io.LimitReader(content, most+1)); err != nil {
		return err
	}
	if u.size > most {
		return errFileTooLarge
	}
	return nil
}

func (u *upload) flag(part *multipart.Part, content io.Reader) error {
	name := part.FormName()
	if name != "dry_run" && name != "create_tags" {
		if !visible(name, 64) {
			name = "body"
		}
		return invalid(name, ruleUnknown)
	}
	if _, twice := u.flags[name]; twice {
		return invalid(name, domain.RuleDuplicate)
	}
	value, err := io.ReadAll(io.LimitReader(content, 6))
	switch {
	case err != nil:
		return err
	case string(value) != "true" && string(value) != "false":
		return invalid(name, ruleTypeBool)
	}
	u.flags[name] = string(value) == "true"
	return nil
}

func (u *upload) close() {
	if u.file != nil {
		_ = u.file.Close()
	}
}
