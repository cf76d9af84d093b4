using System.Globalization;

namespace BackupDr.Simulation.Tests;

/// <summary>How many worlds are played: a sample in every run; in the long one a hundred times as many, or as many as
/// BACKUPDR_SEEDS says.</summary>
static class Worlds
{
    public static int Seeds(int ordinary) => Environment.GetEnvironmentVariable("BACKUPDR_SEEDS") is { Length: > 0 } given
        ? int.Parse(given, CultureInfo.InvariantCulture)
        : Environment.GetEnvironmentVariable("BACKUPDR_NIGHTLY") == "1" ? 100 * ordinary : ordinary;
}
