package main

import (
	"net"
	"net/http"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
)

// spareFiles are left to what is no connection over HTTP: the database's and the bus's connections, files that come and go. Of few files it is half.
const spareFiles = 500

// bound keeps a listener from having more connections open than most, or than the system lets this process open files, less spareFiles, or half; 0 is no limit but that. Whoever
// comes beyond that waits in the system's queue until another connection is closed.
func bound(l net.Listener, most int) (net.Listener, int) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < 1<<30 {
		room := max(int(files.Cur)-spareFiles, int(files.Cur)/2, 1)
		if most == 0 || room < most {
			most = room
		}
	}
	if most > 0 {
		l = netutil.LimitListener(l, most)
	}
	return l, most
}

// visitors counts the connections of an HTTP server.
type visitors struct{ open atomic.Int64 }

// count is for http.Server.ConnState.
func (v *visitors) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		v.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		v.open.Add(-1)
	}
}

// watch shows how many there are, and the most there may be, unless there is no limit.
func (v *visitors) watch(registry prometheus.Registerer, most int) error {
	figures := map[string]func() float64{"open": func() float64 { return float64(v.open.Load()) }}
	if most > 0 {
		figures["most"] = func() float64 { return float64(most) }
	}
	for state, value := range figures {
		err := registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "customercenter_http_connections", Help: "Connections over HTTP that are open, and the most there may be.", ConstLabels: prometheus.Labels{"state": state},
		}, value))
		if err != nil {
			return err
		}
	}
	return nil
}
