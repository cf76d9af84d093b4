namespace BackupDr.Architecture.Tests;

static class Rule
{
    /// <summary>Fails with every breach on a line of its own.</summary>
    public static void Holds(IEnumerable<string> breaches)
    {
        var all = breaches.ToList();
        Assert.True(all.Count == 0, $"{all.Count} breaches:\n{string.Join('\n', all.Take(100))}");
    }
}
