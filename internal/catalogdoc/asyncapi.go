package catalogdoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

type object = map[string]any

// asyncAPI is docs/asyncapi.json: what is exchanged over NATS, as AsyncAPI 3. events and others have an example of each type
// of event, a payload that is opened, and of each other message.
func (f *facts) asyncAPI(events, others map[string]json.RawMessage) ([]byte, error) {
	schemas, messages := object{}, object{"dead": deadLetter}
	of := map[string]object{"events": {}, "in": {}, "out": {}, "groups": {}, "dead": {"dead": ref("messages", "dead")}}
	for _, e := range f.events {
		said, err := sentence(e)
		if err != nil {
			return nil, err
		}
		example, err := e.onBus(events[e.name])
		if err != nil {
			return nil, err
		}
		schemas[e.name] = e.payloadOnBus()
		messages[e.name] = object{
			"name": e.name, "title": e.name, "summary": said.both(), "description": e.doc, "contentType": "application/json",
			"traits": []any{ref("messageTraits", "event")}, "payload": ref("schemas", e.name),
			"examples":       []any{object{"name": e.name, "payload": example}},
			"x-type-version": e.version, "x-emitted-by": names(f.emitters(e)), "x-heard-by": f.hearersOf(e),
		}
		of["events"][e.name] = ref("messages", e.name)
	}
	for channel, list := range map[string][]*message{"in": f.inputs, "out": f.outputs[:1], "groups": f.outputs[1:]} {
		for _, m := range list {
			key := channel + "." + m.name // types of channel events and of events may have one name
			schemas[key] = m.body
			said, ok := messageMeanings[m.name]
			if !ok || len(others[m.name]) == 0 {
				return nil, fmt.Errorf("%s has no meaning or no example", m.name)
			}
			headers := object{"Nats-Msg-Id": header(words{"the same as id", "与 id 相同"})}
			if said, ok := traceOf[channel]; ok {
				headers["traceparent"] = header(said)
			}
			messages[key] = object{
				"name": m.name, "title": m.name, "summary": said.both(), "contentType": "application/cloudevents+json", "payload": ref("schemas", key),
				"headers":  object{"type": "object", "properties": headers},
				"examples": []any{object{"name": m.name, "payload": others[m.name]}},
			}
			of[channel][key] = ref("messages", key)
		}
	}
	document := object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "customercenter", "version": "1",
			"description": "What a customer center exchanges over NATS. Generated from the source by `go test ./internal/catalogdoc -update`. " +
				"docs/consumers.md is how to listen, docs/events.md the same for people. Descriptions are in English / Chinese.",
		},
		"defaultContentType": "application/json",
		"servers": object{"nats": object{
			"host": "{host}:{port}", "protocol": "nats",
			"description": "NATS with JetStream. `customercenter up` has one inside and prints its address; it is also in run.json of its data directory.",
			"variables":   object{"host": object{"default": "127.0.0.1"}, "port": object{"default": "4222"}},
		}},
		"channels": f.channels(of), "operations": operations,
		"components": object{
			"schemas": schemas, "messages": messages,
			"messageTraits": object{"event": object{"headers": object{"type": "object", "properties": headers, "required": requiredHeaders}}},
		},
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(document)
	return b.Bytes(), err
}

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

func names(commands []*command) (list []string) {
	for _, c := range commands {
		list = append(list, c.name())
	}
	return list
}

func (f *facts) channels(messages map[string]object) object {
	aggregates, happenings := []string{}, []string{}
	for _, e := range f.events {
		aggregate, happening, _ := strings.Cut(e.name, ".")
		aggregates, happenings = appendNew(aggregates, aggregate), appendNew(happenings, happening)
	}
	tenant := object{"description": "slug of the tenant / 租户的标识"}
	association := object{"description": "number of the association / 关联的编号"}
	channel := func(address, stream string, said words, parameters object, messages object) object {
		return object{"address": address, "title": stream, "description": said.both(), "parameters": parameters, "messages": messages, "x-jetstream-stream": stream}
	}
	return object{
		"events": channel("cc.events.{tenant}.{aggregate}.{event}", "CC_EVENTS", words{
			"the log of each tenant, in order; kept for 7 days or 10 GiB, and can be filled again from the log", "各租户的日志，按顺序；保留 7 天或 10 GiB，可由日志重新填充"},
			object{"tenant": tenant, "aggregate": object{"enum": aggregates}, "event": object{"enum": happenings}}, messages["events"]),
		"in": channel("cc.in.{tenant}.{association}", "CC_IN", words{
			"channel events that are to be carried out; an acknowledgement means that the event is on disk", "待处理的渠道事件；确认表示事件已落盘"},
			object{"tenant": tenant, "association": association}, messages["in"]),
		"out": channel("cc.out.{tenant}.{association}", "CC_OUT", words{
			"what channels are to send to customers, not sealed; kept for 7 days", "渠道要发送给客户的消息，未加密；保留 7 天"},
			object{"tenant": tenant, "association": association}, messages["out"]),
		"groups": channel("cc.groups.{tenant}.{group}", "CC_GROUPS", words{
			"who enters and leaves groups; kept for 7 days", "客户进入和离开分组；保留 7 天"},
			object{"tenant": tenant, "group": object{"description": "id of the group / 分组的标识"}}, messages["groups"]),
		"dead": channel("cc.dead.{tenant}.{association}", "CC_DEAD", words{
			"channel events that could not be carried out, as they came; kept for 30 days", "无法处理的渠道事件，保持原样；保留 30 天"},
			object{"tenant": tenant, "association": association}, messages["dead"]),
	}
}

func appendNew(list []string, word string) []string {
	for _, have := range list {
		if have == word {
			return list
		}
	}
	return append(list, word)
}

// operations are what this product does on each channel: whoever is on the other side does the opposite.
var operations = object{
	"tellWhatHappened":       operation("send", "events", "Publish the log, in order, at least once."),
	"takeChannelEvents":      operation("receive", "in", "Take what channels report, in order per customer, each source and id once."),
	"handToChannels":         operation("send", "out", "Hand channels what they are to send, in order, at least once."),
	"tellWhoEntersAndLeaves": operation("send", "groups", "Tell who enters and leaves groups, at least once."),
	"putAside":               operation("send", "dead", "Put aside what could not be carried out, with the reason."),
}

func operation(action, channel, summary string) object {
	return object{"action": action, "channel": object{"$ref": "#/channels/" + channel}, "summary": summary}
}

// traceOf says what a message's place in a trace is, of channels where it has one.
var traceOf = map[string]words{
	"in":  {"optional: where in which trace it is published, as the W3C writes it; what follows goes on in it", "可选：按 W3C 写法表示在哪个链路追踪中发布；后续处理沿用该追踪"},
	"out": {"absent, or where in which trace the message was written, as the W3C writes it", "没有，或按 W3C 写法表示消息在哪个链路追踪中写下"},
}

func header(said words) object { return object{"type": "string", "description": said.both()} }

// headers are those of the log's messages, CloudEvents in binary mode. A test holds them against real messages.
var headers = object{
	"ce-specversion":     object{"type": "string", "const": "1.0"},
	"ce-id":              header(words{"<tenant>:<epoch>:<position>, the same whenever the event comes: it tells duplicates", "<租户>:<纪元>:<位置>，每次都相同：用于去重"}),
	"ce-type":            header(words{"the type of the event", "事件类型"}),
	"ce-source":          header(words{"/tenants/<tenant>", "/tenants/<租户>"}),
	"ce-subject":         header(words{"the stream that the event belongs to: customer-<id>, session-<id>, tags …", "事件所属的流：customer-<标识>、session-<标识>、tags 等"}),
	"ce-time":            object{"type": "string", "format": "date-time", "description": words{"when it was recorded", "记录的时间"}.both()},
	"ce-datacontenttype": object{"type": "string", "const": "application/json"},
	"cc-position":        number(words{"1, 2, 3 … in the tenant's log, without holes", "在租户日志中的位置：1、2、3……，没有空缺"}),
	"cc-version":         number(words{"1, 2, 3 … in its stream", "在所属流中的版本：1、2、3……"}),
	"cc-type-version":    number(words{"version of what is stored of this type", "该类型存储格式的版本"}),
	"cc-epoch":           object{"type": "string", "format": "uuid", "description": words{"of the log; another one after a restore: begin anew", "日志的纪元；恢复备份后会改变：应从头开始"}.both()},
	"cc-refill":          number(words{"absent, or how many refills there were before", "没有，或此前重新填充的次数"}),
	"cc-customer":        object{"type": "string", "format": "uuid", "description": words{"the customer it concerns; absent if nobody", "涉及的客户；没有则不出现"}.both()},
	"cc-meta":            header(words{"JSON: append, actor {kind, id}, cause, correlation, trace, occurred_at", "JSON：append、actor {kind, id}、cause、correlation、trace、occurred_at"}),
	"traceparent":        header(words{"absent, or where in which trace it was published, as the W3C writes it", "没有，或按 W3C 写法表示在哪个链路追踪中发布"}),
	"cc-omitted":         header(words{"too-large: the body does not fit into a message and is empty; read the event by its position with GET /v1/events", "too-large：内容超出消息上限而为空；请按位置用 GET /v1/events 读取"}),
	"Nats-Msg-Id":        header(words{"of the publication, not of the event: use ce-id", "属于发布，不属于事件：请用 ce-id"}),
	// The relay's own, see ADR 5.
	"Nats-Expected-Last-Sequence": header(words{"of the relay", "转发器所用"}),
	"Nats-Expected-Last-Msg-Id":   header(words{"of the relay", "转发器所用"}),
}

var requiredHeaders = []string{
	"ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time", "ce-datacontenttype", "cc-position", "cc-version", "cc-type-version",
	"cc-epoch", "cc-meta", "Nats-Msg-Id",
}

func number(said words) object {
	return object{"type": "string", "pattern": "^[0-9]+$", "description": said.both()}
}

// deadLetter is a channel event that could not be carried out.
var deadLetter = object{
	"name": "dead", "title": "dead letter", "summary": words{"A channel event that could not be carried out, byte for byte as it came.", "无法处理的渠道事件，与收到时逐字节相同。"}.both(),
	"payload": object{"x-personal": true},
	"headers": object{"type": "object", "required": []string{"cc-code", "cc-reason"}, "properties": object{
		"cc-code":     header(words{"why: a stable code", "原因：稳定的代码"}),
		"cc-location": header(words{"where in the event", "在事件中的位置"}),
		"cc-reason":   header(words{"why, in words", "原因说明"}),
		"cc-event":    header(words{"id of the event, if it has one", "事件的 id，如有"}),
		"cc-arrived":  header(words{"when the queue took it", "进入队列的时间"}),
		"cc-sequence": header(words{"number in the queue", "在队列中的序号"}),
		"cc-cut":      header(words{"bytes of the event, if only its beginning is kept", "事件的字节数，仅在只保留开头时出现"}),
		"cc-resent":   header(words{"how often it was sent again", "重新发送的次数"}),
	}},
}

// messageMeanings are what channels report and what is told to them and to subscribers.
var messageMeanings = map[string]words{
	"message.received":    {"A customer wrote.", "客户发来消息。"},
	"message.sent":        {"An agent wrote at the channel; the customer has it.", "客服在渠道中发出了消息，客户已收到。"},
	"message.delivered":   {"A message arrived at the customer.", "消息已送达客户。"},
	"message.read":        {"The customer read a message.", "客户已读消息。"},
	"session.accepted":    {"An agent accepted the session.", "客服接起了会话。"},
	"session.transferred": {"The session was transferred to another agent.", "会话转接给了另一位客服。"},
	"session.closed":      {"The session ended.", "会话结束。"},
	"session.rated":       {"The customer rated the session.", "客户评价了会话。"},
	"web.attributes":      {"A web visitor's browser told about itself.", "网页访客的浏览器信息。"},
	"message.send":        {"Send this to the customer.", "请将此消息发送给客户。"},
	"entered":             {"A customer entered the group.", "客户进入了分组。"},
	"left":                {"A customer left the group.", "客户离开了分组。"},
}
