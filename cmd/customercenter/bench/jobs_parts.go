package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/bulk"
	"customercenter/internal/sheet"
	"customercenter/projections"
)

// file writes a file of customers who are not there yet.
func (b *jobsBench) file(format sheet.Format) (*os.File, [][]string, error) {
	f, err := os.CreateTemp("", "customercenter-bench-*")
	if err != nil {
		return nil, nil, err
	}
	w, err := sheet.NewWriter(f, format, "客户", []string{"ID", "昵称", "名字", "QQ", "手机", "微信号", "邮箱", "公司", "描述", "客户标签", "关联ID"})
	if err != nil {
		return nil, nil, err
	}
	app := strconv.Itoa(b.plant.traffic.Associations[0].ID)
	rows := make([][]string, b.Customers)
	for i := range rows {
		p, n := b.people.At(b.made+i), strconv.Itoa(b.made+i)
		tags := ""
		if i%3 == 0 {
			tags = "老客户"
		}
		rows[i] = []string{"import-" + n, p.Nickname, p.FullName, "10" + n, p.Phone, "wx_" + n, "u" + n + "@example.com", p.Company, "", tags, app}
		if err := w.Write(rows[i]); err != nil {
			return nil, nil, err
		}
	}
	b.made += b.Customers
	return f, rows, w.Close()
}

// importing measures an import from its start until all is in the list; with people, while they write to the tenant.
func (b *jobsBench) importing(format sheet.Format, people bool) func(context.Context) error {
	return func(ctx context.Context) error {
		f, rows, err := b.file(format)
		if err != nil {
			return fmt.Errorf("bench: file: %w", err)
		}
		defer os.Remove(f.Name())
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		plainly, err := b.copyIn(ctx, rows)
		if err != nil {
			return err
		}
		began := time.Now()
		done, err := b.runner.Upload(ctx, b.plant.by(), jobs.Upload{Name: "a." + string(format), File: f, Size: info.Size()})
		if err != nil {
			return fmt.Errorf("bench: upload: %w", err)
		}
		upload := time.Since(began)
		var whole time.Duration
		importing := func(ctx context.Context) error {
			began := time.Now()
			started, err := commands.StartImport{Import: done.Job}.Run(ctx, b.plant.center, b.plant.by())
			if err != nil {
				return fmt.Errorf("bench: start: %w", err)
			}
			if err := b.ended(ctx, started, seldom); err != nil {
				return err
			}
			whole = time.Since(began)
			return nil
		}
		name := "import " + string(format)
		if people {
			name += " while people write"
			err = b.beside(ctx, "an import of "+string(format), importing)
		} else {
			err = importing(ctx)
		}
		if err != nil {
			return err
		}
		b.rate(name+", from its start to all visible", whole, plainly, fmt.Sprintf("%.1f s, upload %.1f s", whole.Seconds(), upload.Seconds()))
		return nil
	}
}

// copyIn is how long a COPY of rows takes into a table with a primary key.
func (b *jobsBench) copyIn(ctx context.Context, rows [][]string) (time.Duration, error) {
	_, err := b.plant.pool.Exec(ctx, `drop table if exists bench_rows; create table bench_rows (id text primary key, nickname text, name text, qq text, phone text, wechat_id text,
		email text, company text, description text, tags text, association text)`)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	began := time.Now()
	_, err = b.plant.pool.CopyFrom(ctx, pgx.Identifier{"bench_rows"}, []string{"id", "nickname", "name", "qq", "phone", "wechat_id", "email", "company", "description", "tags", "association"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			values := make([]any, len(rows[i]))
			for n, cell := range rows[i] {
				values[n] = cell
			}
			return values, nil
		}))
	if err != nil {
		return 0, fmt.Errorf("bench: copy: %w", err)
	}
	return time.Since(began), nil
}

// tagging measures a bulk action on all imported customers, until the list shows it; and its undoing.
func (b *jobsBench) tagging(ctx context.Context) error {
	done, err := commands.CreateTag{Name: "新品通知"}.Run(ctx, b.plant.center, b.plant.by())
	if err != nil {
		return fmt.Errorf("bench: tag: %w", err)
	}
	began := time.Now()
	if _, err := b.plant.pool.Exec(ctx, `update bench_rows set tags = tags || ',新品通知'`); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	plainly := time.Since(began)
	var whole, undone time.Duration
	err = b.beside(ctx, "a bulk action", func(ctx context.Context) error {
		began := time.Now()
		started, err := commands.StartBulk{Action: bulk.Tag, Tag: done.Tag, Filter: json.RawMessage(`{"field":"imported","op":"is","value":true}`)}.Run(ctx, b.plant.center, b.plant.by())
		if err != nil {
			return fmt.Errorf("bench: bulk: %w", err)
		}
		if err := b.ended(ctx, started, seldom); err != nil {
			return err
		}
		whole, began = time.Since(began), time.Now()
		undo, err := commands.UndoBulk{Bulk: started.Job}.Run(ctx, b.plant.center, b.plant.by())
		if err != nil {
			return fmt.Errorf("bench: undo: %w", err)
		}
		err = b.ended(ctx, undo, seldom)
		undone = time.Since(began)
		return err
	})
	if err != nil {
		return err
	}
	b.many("bulk tagging, from its start to all visible", b.made, whole, plainly*time.Duration(b.made)/time.Duration(b.Customers), fmt.Sprintf("%d customers in %.1f s; undone in %.1f s; baseline: UPDATE of a plain table",
		b.made, whole.Seconds(), undone.Seconds()))
	return nil
}

// exporting measures a file of all customers, from when it is asked for until it can be had: in quiet, and while people write.
func (b *jobsBench) exporting(format sheet.Format) func(context.Context) error {
	return func(ctx context.Context) error {
		before, err := b.copyOut(ctx)
		if err != nil {
			return err
		}
		var whole time.Duration
		var id uuid.UUID
		one := func(ctx context.Context) error {
			began := time.Now()
			done, err := commands.RequestExport{Format: string(format), Columns: exported}.Run(ctx, b.plant.center, b.plant.by())
			if err != nil {
				return fmt.Errorf("bench: export: %w", err)
			}
			id = done.Job
			err = b.ended(ctx, done, often)
			whole = time.Since(began)
			return err
		}
		if err := one(ctx); err != nil {
			return err
		}
		after, err := b.copyOut(ctx)
		if err != nil {
			return err
		}
		quiet, plainly := whole, (before+after)/2
		if err := b.beside(ctx, "an export of "+string(format), one); err != nil {
			return err
		}
		export, _, err := projections.NewCatalogues(b.plant.store).Export(ctx, b.plant.tenant, id)
		if err != nil {
			return err
		}
		var file counting
		if err := b.runner.File(ctx, b.plant.tenant, id, &file); err != nil || int64(file) != export.File.Bytes {
			return fmt.Errorf("bench: the file has %d bytes, not %d: %w", file, export.File.Bytes, err)
		}
		b.many("export "+string(format), export.File.Rows, quiet, plainly, fmt.Sprintf("%d rows, %.1f MiB in %.2f s; baseline: COPY of the same columns out", export.File.Rows, float64(file)/(1<<20), quiet.Seconds()))
		b.many("export "+string(format)+" while people write", export.File.Rows, whole, plainly, fmt.Sprintf("%.2f s", whole.Seconds()))
		return nil
	}
}

// exported are the columns of the exports, and of what is compared with them.
var exported = []string{"external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description", "channel", "association", "created_at"}

type counting int64

func (c *counting) Write(p []byte) (int, error) { *c += counting(len(p)); return len(p), nil }

// copyOut is how long a COPY takes of the same columns of all customers as csv.
func (b *jobsBench) copyOut(ctx context.Context) (time.Duration, error) {
	build, err := b.engine.Live(ctx, projections.CustomersName)
	if err != nil {
		return 0, err
	}
	conn, err := b.plant.pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	began := time.Now()
	_, err = conn.Conn().PgConn().CopyTo(ctx, io.Discard, `copy (select `+strings.Join(exported, ", ")+` from `+build.Schema+`.customer where tenant = '`+b.plant.tenant+`' order by ordinal desc) to stdout csv`)
	if err != nil {
		return 0, fmt.Errorf("bench: copy out: %w", err)
	}
	return time.Since(began), nil
}
