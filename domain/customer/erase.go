package customer

import "customercenter/domain"

// Erase ends being a customer, and all that is known of the person. Who was withdrawn is nobody's customer any more, but the log still knows them: they
// can be erased, too. An unfinished session is to be closed before, in the same append.
//
// Refused: NOT_FOUND if there never was a customer, or the last one was erased.
func (s *State) Erase() ([]Event, error) {
	if s.Generation == 0 || s.Erased {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	return []Event{Erased{Generation: s.Generation}}, nil
}
