//go:build unix

package natsserver

import "testing"

// A kill cannot show whether the disk was waited for, so the server is asked.
func TestSyncAlwaysReachesTheServer(t *testing.T) {
	for _, always := range []bool{true, false} {
		s, err := Start(Config{Dir: t.TempDir(), SyncAlways: always})
		if err != nil {
			t.Fatal(err)
		}
		config := s.server.JetStreamConfig()
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if config.SyncAlways != always {
			t.Errorf("SyncAlways is %v, want %v", config.SyncAlways, always)
		}
		if config.MaxStore != maxStore {
			t.Errorf("MaxStore is %d, want %d", config.MaxStore, int64(maxStore))
		}
	}
}
