using System.Globalization;

namespace BackupDr.Simulation.Tests;

/// <summary>How many worlds are played: a sample in every run; in the long one a hundred times as many, or as many as
/// BACKUPDR_SEEDS says.</summary>
static class Worlds
{
    /// <summary>The first seed of worlds that take long, so that several processes can share them: BACKUPDR_FIRST_SEED, else 0.</summary>
    public static int First { get; } = Environment.GetEnvironmentVariable("BACKUPDR_FIRST_SEED") is { Length: > 0 } given
        ? int.Parse(given, CultureInfo.InvariantCulture) : 0;

    public static int Seeds(int ordinary) => Environment.GetEnvironmentVariable("BACKUPDR_SEEDS") is { Length: > 0 } given
        ? int.Parse(given, CultureInfo.InvariantCulture)
        : Environment.GetEnvironmentVariable("BACKUPDR_NIGHTLY") == "1" ? 100 * ordinary : ordinary;
}
