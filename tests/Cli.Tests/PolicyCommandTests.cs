using System.Text.Json;

namespace BackupDr.Cli.Tests;

public sealed class PolicyCommandTests
{
    [Fact]
    public void Rules_are_played_without_a_node()
    {
        string[] rules = ["policy", "simulate", "--every", "6h", "--keep-daily", "3", "--keep-weekly", "2", "--trash", "2d", "--days",
            "30"];

        var plain = BackupdrProgram.Run(rules);
        var played = BackupdrProgram.Run([.. rules, "--json"]);
        var wrong = BackupdrProgram.Run("policy", "simulate", "--trash", "1h");
        var much = BackupdrProgram.Run("policy", "simulate", "--every", "1m", "--days", "3000");

        Assert.Equal((0, 0, 1, 1), (plain.ExitCode, played.ExitCode, wrong.ExitCode, much.ExitCode));
        Assert.StartsWith("Keeps the newest of each of 3 days and 2 weeks, and never fewer than 3.", plain.Output,
            StringComparison.Ordinal);
        using var json = JsonDocument.Parse(played.Output);
        var kept = json.RootElement.GetProperty("kept").GetInt32();
        Assert.InRange(kept, 3, 4);
        Assert.InRange(json.RootElement.GetProperty("taken").GetInt32(), 119, 121);
        Assert.Contains($"After 30 days {kept} recovery points are kept", plain.Output, StringComparison.Ordinal);
        Assert.Contains("1 day to 365 days", wrong.Errors, StringComparison.Ordinal);
        Assert.Contains("recovery points", much.Errors, StringComparison.Ordinal);
    }
}
