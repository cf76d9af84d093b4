namespace BackupDr.Storage.Tests;

/// <summary>The words for what came of an attempt, as docs/reference/tested-with.md has them.</summary>
static class Came
{
    /// <summary>The store did it; what was there is unharmed.</summary>
    public const string Allowed = "allowed";
    /// <summary>The store said no.</summary>
    public const string Refused = "refused";
    /// <summary>It worked, and what was there stays readable as an older version.</summary>
    public const string Hidden = "older version stays";
    /// <summary>It worked, and what was there is gone.</summary>
    public const string Lost = "lost";
    /// <summary>The server that was tried does not have the feature at all.</summary>
    public const string Untested = "untested";
    /// <summary>A backup is stored, and ends with an error because its lock cannot be removed.</summary>
    public const string LockStays = "stored, its lock stays";

    /// <summary>The kinds of objects that are never changed once they are there.</summary>
    public static readonly IReadOnlyList<(string What, string Name)> Kinds =
        [("a pack", "data/ab/p"), ("an index file", "index/i"), ("a snapshot", "snapshots/s"), ("a key", "keys/k"), ("config", "config")];
}
