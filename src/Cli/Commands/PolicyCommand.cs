using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr policy simulate</c>: what rules would keep, played with the fleet's own planner and without a node.</summary>
sealed class PolicyCommand
{
    readonly Option<string?> _template = new("--template")
    {
        Description = $"Begin with {string.Join(", ", PolicyTemplate.All.Select(one => one.Name))}; other options change it.",
    };
    readonly Option<string> _every = new("--every")
    {
        Description = "From one backup to the next, for example 1h or 1d.",
        DefaultValueFactory = _ => "1d",
    };
    readonly Option<string?> _cron = new("--cron") { Description = "Five fields of cron instead of --every, for example \"30 2 * * *\"." };
    readonly Option<string> _timeZone = new("--time-zone")
    {
        Description = "In which --cron, --window and --blackout are meant, for example Europe/Berlin.",
        DefaultValueFactory = _ => "UTC",
    };
    readonly Option<string[]> _window = new("--window")
    {
        Description = "Runs start only in these hours, for example \"Mon-Fri 22:00-06:00\"; may be given several times.",
    };
    readonly Option<string[]> _blackout = new("--blackout")
    {
        Description = "And not in these, for example 2026-12-24..2026-12-27; may be given several times.",
    };
    readonly Option<string?> _spread = new("--spread")
    {
        Description = "Over what the starts of items are spread, for example 30m. Default: a tenth of the interval, at most 30m; 0 with "
            + "--cron.",
    };
    readonly Option<int> _days = new("--days") { Description = "How many days are played.", DefaultValueFactory = _ => 90 };
    readonly Option<int> _last = Count("last", "the newest N");
    readonly Option<int> _hourly = Count("hourly", "the newest of each of N hours");
    readonly Option<int> _daily = Count("daily", "the newest of each of N days");
    readonly Option<int> _weekly = Count("weekly", "the newest of each of N weeks");
    readonly Option<int> _monthly = Count("monthly", "the newest of each of N months");
    readonly Option<int> _yearly = Count("yearly", "the newest of each of N years");
    readonly Option<string?> _within = new("--keep-within") { Description = "Keep all that are younger than this, for example 30d." };
    readonly Option<int> _atLeast = new("--keep-at-least") { Description = "Never fewer than N.", DefaultValueFactory = _ => 3 };
    readonly Option<string> _trash = new("--trash")
    {
        Description = "How long what goes can be taken back, from 1d.",
        DefaultValueFactory = _ => "7d",
    };
    readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    static Option<int> Count(string name, string what) => new($"--keep-{name}") { Description = $"Keep {what}." };

    public static Command Make()
    {
        var made = new PolicyCommand();
        var simulate = new Command("simulate", "Play a schedule and rules over days to come, and say what stays.")
        {
            made._template, made._every, made._cron, made._timeZone, made._window, made._blackout, made._spread, made._days,
            made._last, made._hourly, made._daily, made._weekly, made._monthly, made._yearly, made._within,
            made._atLeast, made._trash, made._json,
        };
        simulate.SetAction(made.Run);
        var policy = new Command("policy", "Policies of a node as documents, and what one would do.") { simulate };
        foreach (var command in PolicyDocumentCommands.All()) policy.Add(command);
        return policy;
    }

    int Run(ParseResult given)
    {
        var begin = given.GetValue(_template) is { } wanted ? PolicyDocumentCommands.Template(wanted).Spec : null;
        bool IsOwn(Option option) => begin is null || given.GetResult(option) is { Implicit: false };
        T Or<T>(Option<T> option, Func<PolicySpec, T> own) => IsOwn(option) ? given.GetValue(option)! : own(begin!);
        TimeSpan Length(Option<string> option, string name, Func<PolicySpec, TimeSpan> own)
            => IsOwn(option) ? Sizes.ParseTime(given.GetValue(option)!, name) : own(begin!);
        var spec = new PolicySpec
        {
            Rpo = TimeSpan.FromDays(365),
            Schedule = IsTimed(given) || begin is null ? Schedule(given, begin?.Schedule) : begin.Schedule,
            Retention = new RetentionSpec
            {
                KeepLast = Or(_last, one => one.Retention.KeepLast),
                KeepHourly = Or(_hourly, one => one.Retention.KeepHourly),
                KeepDaily = Or(_daily, one => one.Retention.KeepDaily),
                KeepWeekly = Or(_weekly, one => one.Retention.KeepWeekly),
                KeepMonthly = Or(_monthly, one => one.Retention.KeepMonthly),
                KeepYearly = Or(_yearly, one => one.Retention.KeepYearly),
                KeepWithin = Or(_within, one => one.Retention.KeepWithin),
                Floor = Or(_atLeast, one => one.Retention.Floor),
                Trash = Length(_trash, "--trash", one => one.Retention.Trash),
            },
        };
        foreach (var (field, problem, hint) in DueTimes.Problems(spec)) throw new BadInputException(field, problem, hint);
        var (keep, times, now) = (spec.Retention, StartTimes.Of(spec.Schedule), TimeProvider.System.GetUtcNow());
        if (times.Next(now) is null) throw new BadInputException("--window", "These windows and blackouts leave no moment at which a run "
            + "could start.", "Open a window that no blackout covers.");
        var forecast = RetentionForecast.Run([], [], times.Next, new KeepTerms { Rules = keep.Rules(), Floor = keep.Floor }, keep.Trash,
            now, given.GetValue(_days));
        Tell(new Output(given.GetValue(_json), quiet: false), keep, forecast, StartLines.Of(spec.Schedule, times, now));
        return ExitCodes.Done;
    }

    /// <summary>Whether anything about times was said, so that it counts in place of the template's.</summary>
    bool IsTimed(ParseResult given) => ((Option[])[_every, _cron, _timeZone, _window, _blackout, _spread])
        .Any(option => given.GetResult(option) is { Implicit: false });

    ScheduleSpec Schedule(ParseResult given, ScheduleSpec? begin) => new()
    {
        Every = begin is not null && given.GetResult(_every) is not { Implicit: false } ? begin.Every
            : Sizes.ParseTime(given.GetValue(_every)!, "--every"),
        Cron = given.GetValue(_cron),
        TimeZone = given.GetValue(_timeZone)!,
        Windows = [.. (given.GetValue(_window) ?? []).Select(HoursText.Window)],
        Blackouts = [.. (given.GetValue(_blackout) ?? []).Select(HoursText.Blackout)],
        Spread = given.GetValue(_spread) is { } spread ? Sizes.ParseTime(spread, "--spread") : null,
    };

    static void Tell(Output output, RetentionSpec keep, Forecast forecast, StartLines starts)
    {
        var end = forecast.Days[^1];
        output.Line(RetentionWords.Sentence(keep));
        output.Line($"After {forecast.Days.Count - 1} days {Output.Count(end.Kept, "recovery point is", "recovery points are")} kept and "
            + $"{end.InTrash} in the trash, of {forecast.Points.Count} taken.");
        foreach (var point in forecast.Points.Where(point => point.ForgottenAt is null).Reverse())
            output.Line($"  {Time(point.Point.ReceivedAt)}  " + (point.DroppedAt is { } dropped ? $"in the trash since {Time(dropped)}"
                : $"kept by {RetentionWords.Words(point.Reasons)}"));
        starts.Tell(output);
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "policy_simulation");
            json.WriteNumber("days", forecast.Days.Count - 1);
            json.WriteNumber("kept", end.Kept);
            json.WriteNumber("in_trash", end.InTrash);
            json.WriteNumber("taken", forecast.Points.Count);
            starts.Write(json);
            json.WriteStartArray("points");
            foreach (var point in forecast.Points.Where(point => point.ForgottenAt is null)) Write(json, point);
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    static void Write(Utf8JsonWriter json, ForecastPoint point)
    {
        json.WriteStartObject();
        json.WriteString("received_at", point.Point.ReceivedAt);
        if (point.DroppedAt is { } dropped) json.WriteString("trashed_at", dropped);
        json.WriteStartArray("kept_by");
        if (point.DroppedAt is null)
            foreach (var reason in point.Reasons) json.WriteStringValue(reason.ToString());
        json.WriteEndArray();
        json.WriteEndObject();
    }

    static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}
