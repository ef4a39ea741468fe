package pages

import (
	"context"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/customer"
)

// run carries out a command as acme's admin.
func run[C interface {
	Run(context.Context, *commands.Center, commands.By) (commands.Done, error)
}](w *world, cmd C) commands.Done {
	w.t.Helper()
	done, err := cmd.Run(w.t.Context(), w.center, by())
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// associations connects the four channels: 1 app, 2 web, 3 wechat, 4 weibo.
func (w *world) associations() {
	w.t.Helper()
	for _, a := range []commands.RegisterAssociation{{Channel: "app", Account: "qingyu#shop", Name: "商城 App"}, {Channel: "web", Account: "qingyu-web", Name: "官网咨询"},
		{Channel: "wechat", Account: "gh_qingyu", Name: "青屿服务号"}, {Channel: "weibo", Account: "qingyu", Name: "青屿官微"}} {
		run(w, a)
	}
}

// customer makes a customer of association 1.
func (w *world) customer(externalID, nickname string, tags ...uuid.UUID) uuid.UUID {
	w.t.Helper()
	return run(w, commands.CreateCustomer{Association: 1, ExternalID: externalID, Profile: customer.Profile{Nickname: nickname}, Tags: tags}).Customer
}

func (w *world) tag(name string) uuid.UUID {
	w.t.Helper()
	return run(w, commands.CreateTag{Name: name}).Tag
}
