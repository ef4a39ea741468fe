package eventstore

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/catalog"
	"customercenter/domain/session"
	"customercenter/eventstore/keyring"
)

func BenchmarkEncode(b *testing.B) {
	master, _ := keyring.NewMaster(make([]byte, 32))
	keys := keyring.New(nil, master)
	s := New(nil, NewCodec(catalog.Events()...), keys)
	c := uuid.New()
	k, _ := keys.Create("bench", c, 1)
	keys.Keep("bench", c, k)
	b.ReportAllocs()
	for b.Loop() {
		a := Append{Tenant: "bench", ID: uuid.New(), Now: time.Now(), Actor: Actor{Kind: "channel", ID: "1"},
			Streams: []StreamAppend{{Stream: "session-" + uuid.NewString(), Version: 0, Events: []NewEvent{{Payload: session.MessageRecorded{Message: "msg-00000001", Sender: session.Sender{Kind: "customer"}, Kind: "text",
				Text: "你好，我上周买的东西还没有收到，订单号 2026112200123，麻烦帮我查一下，谢谢"}, Customer: c}}}}}
		if _, err := s.prepare(b.Context(), &a); err != nil {
			b.Fatal(err)
		}
	}
}
