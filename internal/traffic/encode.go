package traffic

import (
	"bytes"
	"strconv"
	"time"
)

// build makes the event of a step, stamped.
func (g *Generator) build(s *session, st step) arrival {
	c, r := s.customer, g.random
	a := arrival{customer: c, kind: st.kind}
	at := g.stamp(c, st.at)
	e := envelope{g: g, association: s.person.association, externalID: c.identity.ExternalID, at: at}
	switch st.kind {
	case stepOpens, stepNags, stepWrites, stepThanks:
		e.begin(MessageReceived)
		g.receivedData(s, st.kind)
	case stepGreets, stepAnswers, stepExplains, stepSaysBye:
		e.begin(MessageSent)
		g.sentData(s, st.kind)
	case stepVisits:
		e.begin(WebAttributes)
		g.webData(s.person.web)
	case stepAccepts:
		s.agent = r.index(len(g.agents))
		e.begin(SessionAccepted)
		g.raw(`,"agent":`, g.agents[s.agent])
	case stepTransfers:
		from := s.agent
		s.agent = (from + 1 + r.index(len(g.agents)-1)) % len(g.agents)
		e.begin(SessionTransferred)
		g.raw(`,"from":`, g.agents[from], `,"to":`, g.agents[s.agent])
	case stepRates:
		e.begin(SessionRated)
		a.score = g.ratingData()
	case stepLeaves:
		e.begin(SessionClosed)
		g.raw(`,"by":"customer","cause":"left_waiting"`)
	case stepAgentEnds:
		e.begin(SessionClosed)
		g.raw(`,"by":"agent","cause":"resolved"`)
	case stepPersonEnds:
		e.begin(SessionClosed)
		g.raw(`,"by":"customer","cause":"left"`)
	case stepTimesOut:
		e.begin(SessionClosed)
		g.raw(`,"by":"system","cause":"timeout"`)
	}
	a.event = e.end()
	return a
}

// envelope writes what all events have in common around their data, into the generator's scratch.
type envelope struct {
	g           *Generator
	association int // index
	externalID  string
	at          time.Time
	kind        string
}

// begin writes everything up to the first member of the data, external_id. Members are added with a comma before them.
func (e *envelope) begin(kind string) {
	g := e.g
	e.kind = kind
	g.ids++
	b := append(g.scratch[:0], `{"specversion":"1.0","id":"`...)
	b = appendHex(b, mix(g.ids))
	b = append(append(b, `","source":`...), g.sources[e.association]...)
	b = append(append(b, `,"type":"`...), kind...)
	b = e.at.AppendFormat(append(b, `","time":`...), g.layout)
	b = append(b, `,"datacontenttype":"application/json","data":{"external_id":`...)
	g.scratch = appendString(b, e.externalID)
}

// end closes the data and the event and returns it.
func (e *envelope) end() Event {
	g := e.g
	g.raw("}}")
	return Event{
		Subject: g.subjects[e.association], Association: g.options.Associations[e.association].ID, Kind: e.kind,
		ExternalID: e.externalID, Time: e.at, Body: bytes.Clone(g.scratch),
	}
}

// raw adds what is JSON already.
func (g *Generator) raw(parts ...string) {
	for _, part := range parts {
		g.scratch = append(g.scratch, part...)
	}
}

// member adds a string to the data, unless it is empty.
func (g *Generator) member(name, value string) {
	if value != "" {
		g.scratch = appendMember(g.scratch, name, value)
	}
}

// object adds an object of strings, leaving out the empty ones, and itself if all are. Pairs are a name and a value each.
func (g *Generator) object(name string, pairs ...string) {
	before := len(g.scratch)
	g.raw(`,"`, name, `":`)
	first := len(g.scratch)
	for i := 0; i < len(pairs); i += 2 {
		g.member(pairs[i], pairs[i+1])
	}
	if len(g.scratch) == first {
		g.scratch = g.scratch[:before]
		return
	}
	g.scratch[first] = '{' // instead of the first member's comma
	g.raw("}")
}

func (g *Generator) receivedData(s *session, kind stepKind) {
	p := &s.person
	g.member("nickname", p.nickname)
	if kind == stepOpens {
		g.object("profile", "name", p.profile.name, "phone", p.profile.phone, "company", p.profile.company, "email", p.profile.email,
			"qq", p.profile.qq, "wechat_id", p.profile.wechatID, "description", p.profile.description)
	}
	sentences := s.topic.customer
	switch kind {
	case stepOpens:
		sentences = s.topic.openings
	case stepNags:
		sentences = waitingPhrases
	case stepThanks:
		sentences = thanks
	}
	g.message(pick(g.random, sentences), kind == stepWrites)
	// Some channels tell about the browser with the first message, some in an event of their own.
	if kind == stepOpens && p.web.ip != "" && (len(s.steps) < 2 || s.steps[1].kind != stepVisits) {
		g.webData(p.web)
	}
}

func (g *Generator) sentData(s *session, kind stepKind) {
	g.raw(`,"agent":`, g.agents[s.agent])
	sentences := s.topic.agent
	switch {
	case kind == stepExplains:
		sentences = transferPhrases
	case s.person.latin:
	case kind == stepGreets:
		sentences = greetings
	case kind == stepSaysBye:
		sentences = farewells
	}
	g.message(pick(g.random, sentences), kind == stepAnswers)
}

func (g *Generator) webData(v visit) {
	g.object("web", "ip", v.ip, "region", v.region, "user_agent", v.userAgent, "referrer", v.referrer)
}

// message adds a message: the sentence, or, if it may, now and then a picture, a voice, a file, a video or a place.
func (g *Generator) message(sentence string, media bool) {
	r := g.random
	g.raw(`,"message":{"id":"m-`)
	g.scratch = append(appendHex(g.scratch, mix(g.ids)), '"')
	switch draw := r.below(1000); {
	case !media || draw < 860:
		g.phrase = appendPhrase(g.phrase[:0], r, sentence)
		g.raw(`,"kind":"text"`)
		g.scratch = appendMember(g.scratch, "text", g.phrase)
	case draw < 950:
		g.media("image", ".jpg", "")
	case draw < 980:
		g.media("voice", ".amr", "")
	case draw < 990:
		g.media("file", ".pdf", "发票-"+strconv.FormatInt(r.between(10_000_000, 99_999_999), 10)+".pdf")
	case draw < 995:
		g.media("video", ".mp4", "")
	default:
		g.raw(`,"kind":"location","url":"https://map.example.com/?q=31.2,121.5","name":"上海市黄浦区人民广场"`)
	}
	g.raw("}")
}

// media adds kind and url of something that was uploaded.
func (g *Generator) media(kind, extension, name string) {
	g.raw(`,"kind":"`, kind, `","url":"https://files.example.com/`)
	g.scratch = appendHex(g.scratch, g.random.pcg.Uint64())
	g.raw(extension, `"`)
	g.member("name", name)
}

// ratingData adds a rating and returns its score: most are content.
func (g *Generator) ratingData() int {
	r := g.random
	score, reasons, comments := 5, goodReasons, goodComments
	switch draw := r.below(100); {
	case draw >= 95:
		score = 1
	case draw >= 91:
		score = 2
	case draw >= 83:
		score = 3
	case draw >= 64:
		score = 4
	}
	if score < 4 {
		reasons, comments = badReasons, badComments
	}
	g.raw(`,"score":`, strconv.Itoa(score))
	if r.chance(600) {
		first := r.index(len(reasons))
		g.raw(`,"reasons":["`, reasons[first])
		if r.chance(300) {
			g.raw(`","`, reasons[(first+1)%len(reasons)])
		}
		g.raw(`"]`)
	}
	if r.chance(200) {
		g.member("comment", pick(r, comments))
	}
	return score
}

func appendMember[T string | []byte](b []byte, name string, value T) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendString(b, value)
}

// appendString appends a JSON string. The value must be UTF-8.
func appendString[T string | []byte](b []byte, value T) []byte {
	b = append(b, '"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

// appendHex appends the number with sixteen digits.
func appendHex(b []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[n>>shift&15])
	}
	return b
}
