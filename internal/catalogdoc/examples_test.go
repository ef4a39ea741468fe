package catalogdoc

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/automessage"
	"customercenter/domain/bulk"
	"customercenter/domain/customer"
	"customercenter/domain/exports"
	"customercenter/domain/field"
	"customercenter/domain/group"
	"customercenter/domain/imports"
	"customercenter/domain/projection"
	"customercenter/domain/session"
	"customercenter/domain/settings"
	"customercenter/domain/suppressed"
	"customercenter/domain/tag"
	"customercenter/domain/view"
)

// Ids and times of the examples.
var (
	wang, li     = id("7c4a8d09-ca37-5e1b-9f2a-3f1d5b6c7e80"), id("1b9e4c2f-6d3a-5f80-8c41-2a7e9d0b5f13")
	vip          = id("019ac0de-0000-7000-8000-0000000000a1")
	conversation = id("019ac0de-0000-7000-8000-0000000000b1")
	silent       = id("019ac0de-0000-7000-8000-0000000000c1")
	mine         = id("019ac0de-0000-7000-8000-0000000000d1")
	job          = id("019ac0de-0000-7000-8000-0000000000e1")
	autumn       = id("019ac0de-0000-7000-8000-0000000000f1")
	noon         = time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC)
	nextWeek     = noon.AddDate(0, 0, 7)
	inApp        = json.RawMessage(`{"field":"channel","op":"in","value":["app"]}`)
	lampColours  = []field.Option{{ID: "red", Label: "红"}, {ID: "dark", Label: "深红", Parent: "red"}}
)

func id(text string) uuid.UUID { return uuid.MustParse(text) }

// eventExamples has one event of each type, as it could have happened to a company that sells lamps.
var eventExamples = []domain.Event{
	settings.TimeZoneSet{TimeZone: "Asia/Shanghai"}, settings.WeekStartSet{Day: "monday"}, settings.AgentAccessSet{CustomerCenter: true},
	settings.OrderLinkSet{Template: "https://shop.example/orders/{external_id}"},
	settings.EntitlementGranted{Entitlement: "import"}, settings.EntitlementRevoked{Entitlement: "import"},

	association.Registered{Association: 1, Channel: "wechat", Account: "gh_acme", Name: "Acme 服务号"},
	association.Renamed{Association: 1, Name: "Acme 商城"}, association.Removed{Association: 1},

	tag.Created{Tag: vip, Name: "VIP"}, tag.Renamed{Tag: vip, Name: "贵宾"}, tag.Deleted{Tag: vip},

	field.Added{Field: "colour", Type: field.TypeCascade, Label: "颜色", Hint: "喜欢的灯的颜色", Options: lampColours},
	field.Changed{Field: "colour", Label: "灯的颜色", Hint: "喜欢的灯的颜色", Options: lampColours},
	field.Shown{Field: "colour"}, field.Hidden{Field: "colour"}, field.Enabled{Field: "colour"}, field.Disabled{Field: "colour"},
	field.Reordered{Order: []string{"external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description", "colour"}},
	field.Removed{Field: "colour"},

	group.Defined{Group: silent, Name: "沉默客户", Rule: inApp, AgentVisible: true}, group.Revised{Group: silent, Rule: inApp, Revision: 2},
	group.Renamed{Group: silent, Name: "久未联系"}, group.VisibilitySet{Group: silent}, group.Deleted{Group: silent},

	view.Saved{View: mine, Name: "APP 客户", Filter: inApp, Sort: "-created_at", Columns: []string{"nickname", "phone"}, Owner: view.Owner{Kind: "admin", ID: "zhao.min"}},
	view.Shared{View: mine}, view.Unshared{View: mine}, view.Deleted{View: mine},

	customer.Created{Association: 1, Channel: "wechat", ExternalID: "oWx_9Kq2", Profile: customer.Profile{
		Nickname: "王芳", Name: "王芳", Phone: "13800138000", QQ: "10001", WechatID: "wangfang", Email: "wang@example.com", Company: "Acme", Description: "老客户",
		Custom: map[string]any{"colour": "dark"},
	}, Tags: []uuid.UUID{vip}, Via: "import", Generation: 1, Import: job},
	customer.ProfileChanged{Fields: map[string]customer.Change{"phone": {New: "13800138000"}, "custom.colour": {Old: "red", New: "dark"}}},
	customer.Tagged{Tag: vip}, customer.Untagged{Tag: vip},
	customer.SessionOpened{Session: conversation, Initiator: "customer"},
	customer.SessionClosed{Session: conversation, Aborted: true, LastCustomerMessageAt: &noon},
	customer.Blacklisted{Reason: "广告骚扰", ExpiresAt: &nextWeek}, customer.Unblacklisted{Cause: "expired"}, customer.Withdrawn{Import: job},
	customer.Erased{Generation: 1}, customer.Disclosed{},

	session.Started{Customer: wang, Association: 1, Channel: "wechat", Initiator: "agent", Callback: true},
	session.Accepted{Agent: "li.na"}, session.Transferred{From: "li.na", To: "zhao.min"},
	session.MessageRecorded{Message: "m1", Sender: session.Sender{Kind: "agent", ID: "li.na"}, Kind: "file", Text: "这是发票", URL: "https://files.example/1.pdf",
		Name: "发票.pdf", Late: true},
	session.WebAttributesRecorded{IP: "203.0.113.7", Region: "上海", UserAgent: "Mozilla/5.0 (Macintosh)", Referrer: "https://shop.example/lamps"},
	session.Rated{Score: 5, Reasons: []string{"回复快"}, Comment: "谢谢"},
	session.Closed{By: "agent", Cause: "solved"}, session.Aborted{By: "customer", Cause: "left"},
	suppressed.MessageRecorded{Message: "m9", Kind: "file", Text: "看一下", URL: "https://files.example/2.pdf", Name: "传单.pdf"},

	automessage.Defined{AutoMessage: autumn, Name: "秋季新品", Text: "新灯上架了", Audience: automessage.Audience{Filter: inApp, Groups: []uuid.UUID{silent}}, Rate: 60},
	automessage.Changed{AutoMessage: autumn, Name: "秋季新品", Text: "新灯上架了！", Audience: automessage.Audience{Filter: inApp, Groups: []uuid.UUID{silent}}, Rate: 120},
	automessage.Started{AutoMessage: autumn}, automessage.Stopped{AutoMessage: autumn}, automessage.Deleted{AutoMessage: autumn},
	automessage.RecipientsAdded{AutoMessage: autumn, Customers: []uuid.UUID{wang, li}},
	automessage.Sent{AutoMessage: autumn, Customer: wang, Association: 1}, automessage.Withheld{AutoMessage: autumn, Code: domain.CodeCustomerBlacklisted},
	automessage.Delivered{AutoMessage: autumn}, automessage.Read{AutoMessage: autumn}, automessage.Replied{AutoMessage: autumn},

	projection.EventsSkipped{Projection: "customers", Version: 5, Positions: []int64{4711}, Reason: "由旧版程序写入，无法读取"},

	imports.Uploaded{Import: job, FileName: "客户.xlsx", Format: "xlsx", Bytes: 10240, Rows: 3, Columns: []string{"external_id", "association_id", ""}, CreateTags: true},
	imports.Started{DryRun: true},
	imports.RowsRecorded{From: 0, To: 3, Created: []imports.Created{{Row: 2, Customer: wang}},
		Rejected: []imports.Refused{{Row: 3, Column: "phone", Code: domain.CodeValueInvalid, Args: map[string]any{"rule": domain.RuleTooLong, "max": 45}}}},
	imports.Completed{}, imports.Failed{Code: domain.CodeInternal}, imports.Canceled{}, imports.RevertStarted{},
	imports.RowsReverted{From: 0, To: 3, Count: 1, Kept: []imports.Created{{Row: 2, Customer: wang}}}, imports.Reverted{},

	exports.Requested{Export: job, Filter: inApp, Sort: "-created_at", Columns: []string{"nickname", "phone"}, Format: "csv", Language: "zh"},
	exports.Completed{Position: 4200, Rows: 254, Bytes: 20480, ExpiresAt: nextWeek}, exports.Failed{Code: domain.CodeExportTooLarge, Args: map[string]any{"max": 52428800, "over": 1024}},
	exports.Canceled{}, exports.Downloaded{}, exports.Expired{Code: domain.CodeCustomerErased},

	bulk.Started{Bulk: job, Action: bulk.Blacklist, Reason: "广告", ExpiresAt: &nextWeek, Filter: inApp},
	bulk.Selected{Position: 4200, Customers: 2},
	bulk.Applied{From: 0, To: 2, Changed: []bulk.Change{{Customer: wang, Version: 7}}, Refused: []bulk.Refused{{Customer: li, Code: domain.CodeNotFound}}},
	bulk.Completed{}, bulk.Failed{Code: domain.CodeInternal}, bulk.Canceled{}, bulk.UndoStarted{},
	bulk.Undone{From: 0, To: 2, Count: 1, Kept: []bulk.Refused{{Customer: li, Code: domain.CodeNotFound}}}, bulk.Reverted{},
}

// messageExamples has one message of each type that is exchanged beside the log.
var messageExamples = map[string]string{
	"message.received":    `{"specversion":"1.0","id":"wx-1","source":"/wechat/gh_acme","type":"message.received","time":"2026-11-26T04:00:00Z","data":{"external_id":"oWx_9Kq2","nickname":"王芳","message":{"id":"m1","kind":"text","text":"你好，我的订单什么时候发货？"}}}`,
	"message.sent":        `{"specversion":"1.0","id":"wx-2","source":"/wechat/gh_acme","type":"message.sent","data":{"external_id":"oWx_9Kq2","agent":"li.na","message":{"id":"m2","kind":"text","text":"今天下午。"}}}`,
	"session.accepted":    `{"specversion":"1.0","id":"wx-3","source":"/wechat/gh_acme","type":"session.accepted","data":{"external_id":"oWx_9Kq2","agent":"li.na"}}`,
	"session.transferred": `{"specversion":"1.0","id":"wx-4","source":"/wechat/gh_acme","type":"session.transferred","data":{"session_id":"019ac0de-0000-7000-8000-0000000000b1","to":"zhao.min"}}`,
	"session.closed":      `{"specversion":"1.0","id":"wx-5","source":"/wechat/gh_acme","type":"session.closed","data":{"external_id":"oWx_9Kq2","by":"agent","cause":"solved"}}`,
	"session.rated":       `{"specversion":"1.0","id":"wx-6","source":"/wechat/gh_acme","type":"session.rated","subject":"session-019ac0de-0000-7000-8000-0000000000b1","data":{"score":5,"reasons":["回复快"],"comment":"谢谢"}}`,
	"web.attributes":      `{"specversion":"1.0","id":"web-1","source":"/web/acme","type":"web.attributes","data":{"external_id":"visitor-7","web":{"ip":"203.0.113.7","region":"上海","user_agent":"Mozilla/5.0 (Macintosh)","referrer":"https://shop.example/lamps"}}}`,
	"message.delivered":   `{"specversion":"1.0","id":"app-1","source":"/app/acme#shop","type":"message.delivered","data":{"message":{"id":"5d1c8a52-9f0e-5b7d-a3c6-0e4f2b1d7a96"}}}`,
	"message.read":        `{"specversion":"1.0","id":"app-2","source":"/app/acme#shop","type":"message.read","data":{"message":{"id":"5d1c8a52-9f0e-5b7d-a3c6-0e4f2b1d7a96"}}}`,
	"message.send":        `{"specversion":"1.0","id":"0b3f7c11-52f4-5a0e-b1c9-9d6a4e8f2c70","type":"message.send","source":"/tenants/acme","subject":"session-019ac0de-0000-7000-8000-0000000000b1","time":"2026-11-26T04:00:05Z","datacontenttype":"application/json","data":{"session_id":"019ac0de-0000-7000-8000-0000000000b1","customer_id":"7c4a8d09-ca37-5e1b-9f2a-3f1d5b6c7e80","external_id":"oWx_9Kq2","association_id":1,"channel":"wechat","agent":"li.na","message":{"id":"m2","kind":"text","text":"今天下午。"}}}`,
	"entered":             `{"specversion":"1.0","id":"b2d1a6f0-0c3e-5d4b-8a7f-6e5c4d3b2a19","type":"entered","source":"/tenants/acme","subject":"7c4a8d09-ca37-5e1b-9f2a-3f1d5b6c7e80","time":"2026-11-26T04:00:00Z","datacontenttype":"application/json","data":{"group_id":"019ac0de-0000-7000-8000-0000000000c1","customer_id":"7c4a8d09-ca37-5e1b-9f2a-3f1d5b6c7e80","revision":1,"cause":{"kind":"event","event_position":42,"at":"2026-11-26T04:00:00Z"}}}`,
	"left":                `{"specversion":"1.0","id":"c3e2b7a1-1d4f-5e5c-9b80-7f6d5e4c3b2a","type":"left","source":"/tenants/acme","subject":"7c4a8d09-ca37-5e1b-9f2a-3f1d5b6c7e80","time":"2026-12-26T04:00:00Z","datacontenttype":"application/json","data":{"group_id":"019ac0de-0000-7000-8000-0000000000c1","customer_id":"7c4a8d09-ca37-5e1b-9f2a-3f1d5b6c7e80","revision":1,"cause":{"kind":"clock","at":"2026-12-26T04:00:00Z"}}}`,
}

// examples are the events and the other messages as JSON, by type.
func examples(t testing.TB) (events, others map[string]json.RawMessage) {
	t.Helper()
	events, others = map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for name, text := range messageExamples {
		others[name] = json.RawMessage(text)
	}
	for _, e := range eventExamples {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if events[e.EventType()] != nil {
			t.Errorf("%s has two examples", e.EventType())
		}
		events[e.EventType()] = text
	}
	return events, others
}
