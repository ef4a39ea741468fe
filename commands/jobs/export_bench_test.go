package jobs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/job"
	"customercenter/domain/session"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/internal/locale"
	"customercenter/internal/sheet"
	"customercenter/projections"
)

// planted are so many customers as a tenant has them, most of them with a name and a number, some with more and with sessions.
func planted(tb testing.TB, store *eventstore.Store, tenant string, n int) {
	tb.Helper()
	names := []string{"王小明", "李雷", "张伟", "陈静", "Anna", "刘洋", "赵敏😀", "Bob O'Hara"}
	tags := make([]uuid.UUID, 20)
	at := time.Now().UTC().Truncate(time.Second).AddDate(-1, 0, 0)
	pace := 360 * 24 * time.Hour / time.Duration(n)
	err := store.Load(tb.Context(), tenant, func(yield func(eventstore.Past) bool) {
		versions := map[string]int64{}
		add := func(stream string, of uuid.UUID, payloads ...any) bool {
			at = at.Add(time.Millisecond)
			a := eventstore.Append{ID: uuid.New(), Now: at, Actor: eventstore.Actor{Kind: "system", ID: "test"}}
			s := eventstore.StreamAppend{Stream: stream, Version: versions[stream]}
			for _, payload := range payloads {
				if created, is := payload.(customer.Created); is {
					a.NewCustomers = []eventstore.NewCustomer{{ID: of, Generation: created.Generation}}
				}
				s.Events = append(s.Events, eventstore.NewEvent{Payload: payload, Customer: of})
			}
			versions[stream] += int64(len(payloads))
			a.Streams = []eventstore.StreamAppend{s}
			return yield(eventstore.Past{Append: a, At: at})
		}
		if !add(association.Stream, uuid.Nil, association.Registered{Association: 1, Channel: "app", Account: "org#shop", Name: "商城"}) {
			return
		}
		for i := range tags {
			tags[i] = uuid.Must(uuid.NewV7())
			if !add(tag.Stream, uuid.Nil, tag.Created{Tag: tags[i], Name: fmt.Sprint("标签", i)}) {
				return
			}
		}
		if !add(field.Stream, uuid.Nil, field.Added{Field: "level", Type: field.TypeSelect, Label: "等级", Options: []field.Option{{ID: "o1", Label: "金卡"}, {ID: "o2", Label: "银卡"}}}, field.Shown{Field: "level"},
			field.Added{Field: "score", Type: field.TypeNumber, Label: "积分"}, field.Shown{Field: "score"}) {
			return
		}
		for i := range n {
			at = at.Add(pace - time.Millisecond)
			id := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i))
			created := customer.Created{Association: 1, Channel: "app", ExternalID: fmt.Sprintf("user_%08d", i*7919%100_000_000), Via: customer.ViaInbound, Generation: 1,
				Profile: customer.Profile{Nickname: names[i%len(names)] + fmt.Sprint(i%10_000)}}
			p := &created.Profile
			if i%4 > 0 {
				p.Name, p.Phone = names[i/8%len(names)], fmt.Sprintf("138%08d", i*31337%100_000_000)
			}
			if i%2 == 0 {
				p.Email = fmt.Sprintf("user%d@example.com", i)
			}
			if i%5 == 0 {
				p.Company, p.Description = "某某科技有限公司", "第一次来访时询问了退货的流程，之后没有再联系。"
			}
			if i%3 == 0 {
				p.Custom = map[string]any{"level": fmt.Sprint("o", 1+i%2), "score": fmt.Sprint(i % 1000)}
			}
			for k := range i % 4 {
				created.Tags = append(created.Tags, tags[(i/4+k*7)%len(tags)])
			}
			if !add(customer.Stream(id), id, created) {
				return
			}
			if i%3 == 0 {
				of := uuid.NewSHA1(id, []byte("session"))
				if !add(customer.Stream(id), id, customer.SessionOpened{Session: of, Initiator: "customer"}, customer.SessionClosed{Session: of}) ||
					!add(session.Stream(of), id, session.Started{Customer: id, Association: 1, Channel: "app", Initiator: "customer"}, session.Accepted{Agent: fmt.Sprint("agent-", i%9)},
						session.MessageRecorded{Message: fmt.Sprint(i), Sender: session.Sender{Kind: "customer"}, Kind: session.KindText, Text: "你好"}) {
					return
				}
			}
			for stream := range versions {
				if len(versions) < 1000 {
					break
				}
				if stream != tag.Stream {
					delete(versions, stream)
				}
			}
		}
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
}

// benchedEnv is the variable with the number of customers that benchmarks export; default 50,000. To fill a million takes some minutes.
const benchedEnv = "EXPORT_CUSTOMERS"

// benched is a tenant with many customers, and its read models.
func benched(b *testing.B) (w *exportWorld, customers int) {
	b.Helper()
	customers = 50_000
	if set := os.Getenv(benchedEnv); set != "" {
		var err error
		if customers, err = strconv.Atoi(set); err != nil {
			b.Fatal(err)
		}
	}
	w = newExportWorld(b, func(store *eventstore.Store) { planted(b, store, exportTenant, customers) })
	if _, err := w.store.Pool().Exec(b.Context(), `vacuum (analyze)`); err != nil {
		b.Fatal(err)
	}
	return w, customers
}

var benchColumns = []string{"external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description", "custom.level", "custom.score",
	"tags", "channel", "association", "created_at", "updated_at", "first_session_at", "last_session_at", "session_count"}

// copySQL has the same columns as they are stored, as csv.
const copySQL = `copy (select c.external_id, c.nickname, c.name, c.phone, c.qq, c.wechat_id, c.email, c.company, c.description, c.custom ->> 'level', c.custom ->> 'score',
	c.tags, c.channel, c.association, c.created_at, c.updated_at, a.first_session_at, a.last_session_at, a.session_count
	from %[1]s.customer c join %[1]s.customer_activity a on a.tenant = c.tenant and a.ordinal = c.ordinal where c.tenant = 'acme'%[2]s) to stdout with (format csv, header)`

// BenchmarkExport writes files of everybody to nowhere, against COPY of the same columns and rows in the same run: before and after each, because
// machines are not quiet.
func BenchmarkExport(b *testing.B) {
	w, _ := benched(b)
	build, err := w.projector.Live(b.Context(), projections.CustomersName)
	if err != nil {
		b.Fatal(err)
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		b.Fatal(err)
	}
	copied := func(b *testing.B, order string) float64 {
		conn, err := w.store.Pool().Acquire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Release()
		began := time.Now()
		tag, err := conn.Conn().PgConn().CopyTo(b.Context(), io.Discard, fmt.Sprintf(copySQL, build.Schema, order))
		if err != nil {
			b.Fatal(err)
		}
		return float64(tag.RowsAffected()) / time.Since(began).Seconds()
	}
	for _, c := range []struct {
		name, sort, order string
		format            sheet.Format
	}{
		{"csv", "-created_at", "", sheet.CSV},
		{"csv by nickname", "nickname", " order by c.nickname_key, c.ordinal", sheet.CSV},
		{"xlsx", "-created_at", "", sheet.XLSX},
	} {
		b.Run(c.name, func(b *testing.B) {
			copied(b, c.order)
			var rate, base float64
			for b.Loop() {
				before := copied(b, c.order)
				rows := 0
				out, err := sheet.NewWriter(io.Discard, c.format, "x", benchColumns)
				if err != nil {
					b.Fatal(err)
				}
				q := projections.ExportQuery{
					ListQuery: projections.ListQuery{Sort: c.sort, Calendar: filter.Calendar{Zone: zone}}, Columns: benchColumns,
					Word: func(kind, value string) string { return locale.Word(locale.Chinese, kind, value) },
				}
				began := time.Now()
				_, err = w.runner.customers.Export(b.Context(), exportTenant, q, func(cells []string) error { rows++; return writeRow(out, cells) })
				if err = errors.Join(err, out.Close()); err != nil {
					b.Fatal(err)
				}
				rate += float64(rows) / time.Since(began).Seconds()
				base += (before + copied(b, c.order)) / 2
			}
			b.ReportMetric(rate/float64(b.N), "rows/s")
			b.ReportMetric(base/float64(b.N), "copied-rows/s")
			b.ReportMetric(rate/base, "ratio")
		})
	}
}

// BenchmarkExportMemory makes whole exports, of a tenth and of everybody, and tells how much of the heap is alive at most meanwhile.
func BenchmarkExportMemory(b *testing.B) {
	w, customers := benched(b)
	tenth := fmt.Sprintf(`{"field":"created_at","op":"before","value":%q}`, time.Now().UTC().AddDate(-1, 0, 36).Format(time.RFC3339))
	for _, c := range []struct{ format, sort string }{{"csv", "-created_at"}, {"xlsx", "-created_at"}, {"csv", "nickname"}} {
		for _, of := range []struct{ name, filter string }{{"tenth", tenth}, {"all", "{}"}} {
			b.Run(fmt.Sprintf("%s by %s, %s of %d", c.format, c.sort, of.name, customers), func(b *testing.B) {
				var most, rows float64
				for b.Loop() {
					task := w.request(commands.RequestExport{Filter: []byte(of.filter), Format: c.format, Sort: c.sort, Columns: append(slices.Clone(benchColumns), "groups", "blacklisted")})
					before, end, ended := alive(), make(chan struct{}), make(chan struct{})
					go func() {
						defer close(ended)
						for {
							select {
							case <-end:
								return
							default:
								most = max(most, alive()-before)
							}
						}
					}()
					w.work(w.another(), task)
					close(end)
					<-ended
					if state := w.state(task); state.Status != job.Completed {
						b.Fatalf("%s: %s %v", state.Status, state.Code, state.Args)
					} else {
						rows = float64(state.File.Rows)
					}
				}
				b.ReportMetric(most/1000, "live-kB")
				b.ReportMetric(rows, "rows")
			})
		}
	}
}

// alive is how much of the heap is alive, in bytes.
func alive() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
