namespace BackupDr.TestKit;

/// <summary>How much a sweep does: a sample in every run, the whole of it with BACKUPDR_NIGHTLY=1.</summary>
public static class Nightly
{
    /// <summary>Whether this is the long run.</summary>
    public static bool IsOn { get; } = Environment.GetEnvironmentVariable("BACKUPDR_NIGHTLY") == "1";

    /// <summary>One number or the other.</summary>
    public static int Or(int ordinary, int nightly) => IsOn ? nightly : ordinary;
}
