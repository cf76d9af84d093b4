using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;

namespace BackupDr.Cli.Commands;

/// <summary>When runs of a schedule start next, as lines and as JSON.</summary>
sealed class StartLines
{
    const int Shown = 5;

    readonly List<DateTimeOffset> _starts = [];
    readonly TimeZoneInfo _zone;
    readonly string _zoneName;
    readonly TimeSpan _spread, _gap;

    StartLines(ScheduleSpec schedule, StartTimes times, DateTimeOffset now)
    {
        (_zoneName, _zone) = (schedule.TimeZone, TimeZoneInfo.FindSystemTimeZoneById(schedule.TimeZone));
        (_spread, _gap) = (times.Spread, times.Worst(now).Gap);
        for (var at = now; _starts.Count < Shown && times.Next(at) is { } start; at = start) _starts.Add(start);
    }

    /// <summary>Those of a schedule that is sound.</summary>
    public static StartLines Of(ScheduleSpec schedule, StartTimes times, DateTimeOffset now) => new(schedule, times, now);

    public void Tell(Output output)
    {
        output.Line($"Starts next, in {_zoneName}" + (_spread > TimeSpan.Zero
            ? $", each item at its own place within {StartTimes.Words(_spread)}:" : ":"));
        foreach (var start in _starts)
            output.Line("  " + TimeZoneInfo.ConvertTime(start, _zone).ToString("ddd yyyy-MM-dd HH:mm zzz", CultureInfo.InvariantCulture));
        output.Line($"At worst {StartTimes.Words(_gap + _spread)} lie between two recovery points, and the time that a run takes.");
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartArray("starts");
        foreach (var start in _starts) json.WriteStringValue(start);
        json.WriteEndArray();
        json.WriteNumber("spread_seconds", _spread.TotalSeconds);
        json.WriteNumber("longest_gap_seconds", _gap.TotalSeconds);
    }
}
