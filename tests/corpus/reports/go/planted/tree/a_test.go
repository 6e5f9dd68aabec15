package m

import "testing"

func TestGood(t *testing.T) {}

func TestBad(t *testing.T) {
	if Number() != 8 {
		t.Errorf("got %d", Number())
	}
}

func TestTable(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Fatal("second") })
}

func TestSkipped(t *testing.T) { t.Skip("later") }

func TestPlanted(t *testing.T) { t.Error("planted") }
