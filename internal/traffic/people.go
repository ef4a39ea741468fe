package traffic

import (
	"fmt"
	"math"
)

// Person is somebody of the traffic: the identity, and what a channel or a spreadsheet may know of them. Empty means unknown.
type Person struct {
	Association Association
	ExternalID  string
	Nickname    string
	// FullName is what the person is called, also where the channel does not know: then Name is empty.
	FullName                                               string
	Name, Phone, QQ, WechatID, Email, Company, Description string
}

// People are those of whom traffic of the same seed and associations is, by number. It is safe for concurrent use.
type People struct {
	options Options
	table   []int
}

// NewPeople returns them. Of the options only Seed and Associations matter; the error says what is wrong with any.
func NewPeople(o Options) (*People, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return &People{options: o, table: associationTable(o.Associations)}, nil
}

// At is the n-th person, from 0 on. People of different numbers have different external ids.
func (p *People) At(n int) Person {
	if n < 0 || n > math.MaxInt32 {
		panic(fmt.Sprintf("traffic: there is no person %d", n))
	}
	found := newPerson(p.options.Seed, uint64(n), p.options.Associations, p.table)
	return Person{
		Association: p.options.Associations[found.association], ExternalID: found.externalID, Nickname: found.nickname, FullName: found.fullName,
		Name: found.profile.name, Phone: found.profile.phone, QQ: found.profile.qq, WechatID: found.profile.wechatID,
		Email: found.profile.email, Company: found.profile.company, Description: found.profile.description,
	}
}
