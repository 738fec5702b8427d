// SPDX-License-Identifier: Apache-2.0

package envelope

import "testing"

func TestOnlyOwnIdsAndKnownSuffixesAreAccepted(t *testing.T) {
	plain := &Config{Service: "svc", Product: "prod", RecoveryRegionSuffixes: []string{"blue"}}
	suffixed := &Config{Service: "svc", Product: "prod", RegionSuffix: "green"}
	for _, c := range []struct {
		config *Config
		found  string
		want   bool
	}{
		{plain, "_IK_p_svc_prod", true},
		{plain, "_IK_p_svc_prod_us-west-2", true},
		{plain, "_IK_p_svc_prod_us-gov-east-1", true},
		{plain, "_IK_p_svc_prod_us-isob-east-1", true},
		{plain, "_IK_p_svc_prod_blue", true},
		{plain, "_IK_p_svc_prod_green", false},
		{plain, "_IK_p_svc_prod2", false}, // the Go library takes it where a suffix is configured
		{plain, "_IK_p_svc_produs-west-2", false},
		{plain, "_IK_p_svc_prod_", false},
		{plain, "_IK_p_svc_prod_us-west-2_x", false},
		{plain, "_IK_p_svc_prod_us-west-200", false},
		{plain, "_IK_p_svc_prod_us--2", false},
		{plain, "_IK_p_svc_prod_us-2", false},
		{plain, "_IK_p_svc_prod_us-west-", false},
		{plain, "_IK_p_svc_prod_US-WEST-2", false},
		{plain, "_IK_other_svc_prod", false},
		{plain, "_SK_svc_prod", false},
		{plain, "", false},
		{suffixed, "_IK_p_svc_prod_green", true},
		{suffixed, "_IK_p_svc_prod", true},
		{suffixed, "_IK_p_svc_prod_eu-central-1", true},
		{suffixed, "_IK_p_svc_prod_green_blue", false},
		{suffixed, "_IK_p_svc_prodgreen", false},
	} {
		if got := c.config.accepts(c.config.intermediateKeyID("p"), c.found); got != c.want {
			t.Errorf("own %s, found %s: %v", c.config.intermediateKeyID("p"), c.found, got)
		}
	}
}
