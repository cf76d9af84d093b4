using System.Text.Json;
using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;

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

    [Fact]
    public void Starts_follow_cron_windows_and_blackouts_in_their_zone()
    {
        string[] schedule = ["policy", "simulate", "--cron", "15 * * * *", "--time-zone", "Europe/Berlin", "--window", "22:00-23:00",
            "--blackout", "Sun", "--days", "3"];

        var plain = BackupdrProgram.Run(schedule);
        var played = BackupdrProgram.Run([.. schedule, "--json"]);
        var wrong = BackupdrProgram.Run("policy", "simulate", "--window", "at night");
        var never = BackupdrProgram.Run("policy", "simulate", "--window", "22:00-23:00", "--blackout", "21:00-24:00");
        var wide = BackupdrProgram.Run("policy", "simulate", "--every", "1h", "--spread", "45m");

        Assert.Equal((0, 0, 1, 1, 1), (plain.ExitCode, played.ExitCode, wrong.ExitCode, never.ExitCode, wide.ExitCode));
        Assert.Contains("Starts next, in Europe/Berlin:", plain.Output, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(played.Output);
        var starts = json.RootElement.GetProperty("starts").EnumerateArray().Select(start => TimeZoneInfo.ConvertTime(start
            .GetDateTimeOffset(), TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"))).ToList();
        Assert.Equal(5, starts.Count);
        Assert.All(starts, start => Assert.True(start is { Hour: 22, DayOfWeek: not DayOfWeek.Sunday }, $"{start}"));
        Assert.InRange(json.RootElement.GetProperty("longest_gap_seconds").GetDouble(), 46 * 3600, 49 * 3600);   // over a Sunday
        Assert.Contains("'at night' is no window", wrong.Errors, StringComparison.Ordinal);
        Assert.Contains("no moment", never.Errors, StringComparison.Ordinal);
        Assert.Contains("more than half of the interval", wide.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_page_about_policies_shows_is_taken()
    {
        var page = File.ReadAllText(Path.Combine(Documents.Root, "docs", "operate", "policies.md"));
        string[] Blocks(string kind) => [.. page.Split($"```{kind}\n").Skip(1).Select(part => part[..part.IndexOf("```",
            StringComparison.Ordinal)])];

        var spec = JsonSerializer.Deserialize(Assert.Single(Blocks("json")), WireJson.Default.ScheduleSpec)!;
        string[] command = [.. Regex.Matches(Assert.Single(Blocks("sh")), "\"([^\"]*)\"|(\\S+)").Skip(1)
            .Select(word => word.Groups[1].Success ? word.Groups[1].Value : word.Groups[2].Value)];
        var ran = BackupdrProgram.Run(command);

        Assert.Empty(DueTimes.Problems(new PolicySpec { Schedule = spec }));
        Assert.Equal(["Mon-Fri 22:00-06:00"], spec.Windows.Select(HoursText.Of));
        foreach (var line in Assert.Single(Blocks("text")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Assert.Equal(line, line.Contains('2', StringComparison.Ordinal) && !line.StartsWith("Mon", StringComparison.Ordinal)
                ? HoursText.Of(HoursText.Blackout(line)) : HoursText.Of(HoursText.Window(line)));
        Assert.Equal(0, ran.ExitCode);
        Assert.Contains("in Europe/Berlin", ran.Output, StringComparison.Ordinal);
    }
}
