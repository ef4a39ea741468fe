package projections_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/association"
	"customercenter/domain/settings"
	"customercenter/domain/tag"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
)

// Two processes, each with a cache of its own: whatever one appends, the other answers with.
func TestCataloguesIncludeWhatWasCommittedBefore(t *testing.T) {
	store := projectionstest.Store(t, tenant, "other")
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	here, there := projections.NewCatalogues(store), projections.NewCatalogues(store)
	both := []*projections.Catalogues{here, there}

	world.Append(association.Stream, uuid.Nil, association.Registered{Association: 1, Channel: "app", Account: "a#b", Name: "Shop"})
	world.Append(settings.Stream, uuid.Nil, settings.TimeZoneSet{TimeZone: "Europe/Berlin"})
	var ids []uuid.UUID
	for n := range 5 {
		ids = append(ids, world.NewTag(fmt.Sprint("tag ", n)))
		for _, c := range both {
			tags, version, err := c.Tags(t.Context(), tenant)
			if err != nil || version != int64(n+1) || len(tags.Names) != n+1 || tags.Names[ids[n]] != fmt.Sprint("tag ", n) {
				t.Fatalf("tags %v at %d, %v", tags.Names, version, err)
			}
			tags.Apply(tag.Deleted{Tag: ids[0]}, time.Time{}) // the answer is the caller's own
		}
	}
	world.DeleteTag(ids[2])
	world.Append(association.Stream, uuid.Nil, association.Removed{Association: 1})
	for _, c := range both {
		if tags, _, err := c.Tags(t.Context(), tenant); err != nil || tags.Known(ids[2]) || !tags.Known(ids[3]) {
			t.Errorf("tags: %v, %v", tags.Names, err)
		}
		if all, version, err := c.Associations(t.Context(), tenant); err != nil || version != 2 || len(all.All) != 1 || !all.All[0].Removed || all.All[0].Name != "Shop" {
			t.Errorf("associations: %+v at %d, %v", all, version, err)
		}
		if s, version, err := c.Settings(t.Context(), tenant); err != nil || version != 1 || s.TimeZone() != "Europe/Berlin" || s.WeekStart() != "monday" {
			t.Errorf("settings: %+v at %d, %v", s, version, err)
		}
		if tags, version, err := c.Tags(t.Context(), "other"); err != nil || version != 0 || len(tags.Names) != 0 {
			t.Errorf("another tenant: %v at %d, %v", tags.Names, version, err)
		}
	}
}
