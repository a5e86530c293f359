package devnet

import (
	"slices"
	"testing"
)

func TestOwnEnv(t *testing.T) {
	t.Setenv("YAGNA_AUTOCONF_ID_SECRET", "one for all")
	t.Setenv("GSB_URL", "tcp://127.0.0.1:7464")
	t.Setenv("SUBNET", "mine")
	t.Setenv("LANG_OF_TEST", "kept")
	env := ownEnv()
	if !slices.Contains(env, "LANG_OF_TEST=kept") || slices.Contains(env, "YAGNA_AUTOCONF_ID_SECRET=one for all") ||
		slices.Contains(env, "GSB_URL=tcp://127.0.0.1:7464") || slices.Contains(env, "SUBNET=mine") {
		t.Errorf("nodes would get %q", env)
	}
}
