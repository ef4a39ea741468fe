package jobs

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/domain/settings"
	"customercenter/internal/sheet"
)

// What is said at length in a csv is in the file at length, so it is no bomb; in an xlsx it may be there once, and be shown by every row.
func TestLongTextsInManyRows(t *testing.T) {
	w := newExportWorld(t, nil)
	w.must(commands.GrantEntitlement{Entitlement: settings.EntitlementImport})
	long := strings.Repeat("x", 18<<10)
	for format, want := range map[sheet.Format]string{sheet.CSV: "", sheet.XLSX: string(sheet.Bomb)} {
		var file bytes.Buffer
		out, err := sheet.NewWriter(&file, format, "a", []string{"ID", "关联ID", "描述", "公司"})
		for i := 0; i < job.Chunk && err == nil; i++ {
			err = out.Write([]string{"u", "1", long, long})
		}
		if err = errors.Join(err, out.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = w.runner.Upload(t.Context(), commands.By{Tenant: exportTenant, Actor: exportAdmin}, Upload{Name: "1", File: bytes.NewReader(file.Bytes()), Size: int64(file.Len())})
		var refused *domain.Refusal
		if errors.As(err, &refused) != (want != "") || refused != nil && refused.Code != want || refused == nil && err != nil {
			t.Errorf("%s: %v, want %q", format, err, want)
		}
	}
}
