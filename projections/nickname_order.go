package projections

import (
	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"customercenter/domain/text"
)

// sortedCharacters is how many characters of a nickname, or of the text of a custom field, decide on its place. Too few have more that
// matter to be worth the room.
const sortedCharacters = 16

// nicknameOrder makes the keys by which nicknames, and texts of custom fields, are sorted as people in China expect it: signs, digits and
// Latin letters, then Chinese characters by their pinyin; case, width and accents do not matter. It is used by one goroutine at a time.
//
// Keys are stored. The tables of the collation come with golang.org/x/text: a version of it that orders otherwise needs a new version of
// the read model.
type nicknameOrder struct {
	collator *collate.Collator
	buffer   *collate.Buffer
}

func newNicknameOrder() nicknameOrder {
	return nicknameOrder{collate.New(language.Chinese, collate.Loose), &collate.Buffer{}}
}

// key is to be compared byte by byte. It is empty for an empty nickname, and never nil.
func (o nicknameOrder) key(nickname string) []byte {
	nickname = text.Fold(nickname)
	n := 0
	for i := range nickname {
		if n == sortedCharacters {
			nickname = nickname[:i]
			break
		}
		n++
	}
	o.buffer.Reset()
	return append([]byte{}, o.collator.KeyFromString(o.buffer, nickname)...)
}
