package api

import (
	"io"

	"customercenter/domain/association"
	"customercenter/domain/field"
	"customercenter/internal/locale"
)

func writeImportTemplate(w io.Writer, f *field.State, a *association.State, l locale.Language) error {
	return nil
}
