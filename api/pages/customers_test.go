package pages

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain/customer"
	"customercenter/domain/job"
)

// crowd makes some customers of every channel, with tags, names of all kinds, and a group.
func (w *world) crowd() {
	w.t.Helper()
	w.associations()
	vip, old := w.tag("VIP"), w.tag("老客回购")
	run(w, commands.DefineGroup{Name: "高价值客户", Rule: condition("tags", "has_any", []string{vip.String()}), AgentVisible: true})
	w.customer("qy_20481937", "晚风不晚🌙", vip, old)
	w.customer("qy_20476650", "不吃香菜的小满同学（双十一必须省钱版）一共四十五个字那么长的名字也要放得下才行吧", old)
	for i, c := range []struct{ id, nickname, name string }{{"v-8f3a1c9e72b4", "Zoe·Lin", "林若榆"}, {"oVx8t5KfQ2mN7rYwLpZs3dHcJ0bA", "ゆきの", ""}, {"6103957724", "kiki_2049", ""}} {
		run(w, commands.CreateCustomer{Association: i + 2, ExternalID: c.id, Profile: customer.Profile{Nickname: c.nickname, Name: c.name, Phone: "13812345678"}})
	}
	run(w, commands.BlacklistCustomer{Customer: w.customer("qy_20471108", "橘子汽水不加冰"), Reason: "辱骂客服"})
	w.seen()
}

func TestCustomersPages(t *testing.T) {
	w := start(t)
	v := w.as(access.Admin, "zh")
	v.get("/customers").want(http.StatusOK).goldens("customers.empty")
	w.crowd()
	v.get("/customers").want(http.StatusOK).goldens("customers")
	v.get("/customers?filter=" + url.QueryEscape(`{"field":"tags","op":"has_any","value":["0190a1b2-0000-7000-8000-000000000000"]}`)).want(http.StatusUnprocessableEntity).goldens("customers.error")
	v.get("/customers/filter").want(http.StatusOK).goldens("customers.filter")
}

// workOn works on a bulk action of acme's until nothing is left to be done.
func (w *world) workOn(id uuid.UUID) {
	w.t.Helper()
	events, err := w.store.ReadStream(w.t.Context(), "acme", job.Stream(id), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	opened, err := w.store.Open(w.t.Context(), events)
	if err != nil {
		w.t.Fatal(err)
	}
	task := jobs.Task{Tenant: "acme", ID: id, Kind: job.KindBulk}
	for _, e := range opened {
		if e.Type == "bulk.started" || e.Type == "bulk.undo_started" {
			task.Position = e.Position
			task.By = commands.By{Tenant: "acme", Actor: e.Envelope.Actor, Correlation: e.Envelope.Correlation, Cause: "acme:" + strconv.FormatInt(e.Position, 10)}
		}
	}
	for began := time.Now(); time.Since(began) < longest; {
		rest, ended, err := w.runner.Step(w.t.Context(), task)
		if err != nil {
			w.t.Fatal(err)
		}
		if ended {
			w.seen()
			return
		}
		time.Sleep(rest) // it waits for a read model
	}
	w.t.Fatal("the job does not end")
}
