using System.Globalization;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;

namespace BackupDr.Cli;

/// <summary>Where a command's words go: results to stdout as text or as JSON, everything else to stderr.</summary>
sealed class Output(bool json, bool quiet)
{
    static readonly JsonWriterOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public bool IsJson => json;

    /// <summary>Whether progress is shown: never with --json or --quiet.</summary>
    public bool ShowsProgress => !json && !quiet;

    /// <summary>A line of the result; nothing with --json.</summary>
    public void Line(string text = "")
    {
        if (!json) Console.Out.WriteLine(text);
    }

    /// <summary>A line that --quiet leaves out.</summary>
    public void Note(string text)
    {
        if (!quiet) Line(text);
    }

    /// <summary>One JSON value on a line of its own; nothing without --json.</summary>
    public void Json(Action<Utf8JsonWriter> write)
    {
        if (json) Console.Out.WriteLine(JsonText(write));
    }

    /// <summary>Something went wrong with one path; the command goes on.</summary>
    public void Problem(FilePath path, string message)
    {
        if (!json) Console.Error.WriteLine($"{path}: {message}");
        else Console.Error.WriteLine(JsonText(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("message_type", "error");
            writer.WriteString("item", path.ToString());
            writer.WriteString("message", message);
            writer.WriteEndObject();
        }));
    }

    /// <summary>Something that a person should know although nothing is wrong; --quiet leaves it out.</summary>
    public void Remark(string message)
    {
        if (quiet) return;
        if (!json) Console.Error.WriteLine(message);
        else Console.Error.WriteLine(JsonText(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("message_type", "remark");
            writer.WriteString("message", message);
            writer.WriteEndObject();
        }));
    }

    /// <summary>What a store was asked, to stderr: a line for each verb, or one JSON value.</summary>
    public void Traffic(string url, StoreTraffic traffic)
    {
        if (json)
        {
            Console.Error.WriteLine(JsonText(writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("message_type", "store_stats");
                writer.WriteString("store", url);
                writer.WriteNumber("retries", traffic.Retries);
                foreach (var verb in traffic.Verbs)
                {
                    writer.WriteStartObject(verb.Verb);
                    writer.WriteNumber("requests", verb.Requests);
                    writer.WriteNumber("bytes", verb.Bytes);
                    writer.WriteNumber("seconds", Math.Round(verb.Seconds, 3));
                    foreach (var (word, count) in verb.Errors ?? new Dictionary<string, long>())
                        writer.WriteNumber($"errors_{word}", count);
                    writer.WriteEndObject();
                }
                writer.WriteEndObject();
            }));
            return;
        }
        Console.Error.WriteLine($"{url}: {Count(traffic.Retries, "retry", "retries")}");
        foreach (var verb in traffic.Verbs)
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {verb.Verb,-6} {verb.Requests,8} requests, "
                + $"{verb.Bytes,14} bytes, {verb.Seconds,9:0.000} s")
                + string.Concat((verb.Errors ?? new Dictionary<string, long>()).Select(error => $", {error.Value} {error.Key}")));
    }

    /// <summary>"1 snapshot", "2 snapshots".</summary>
    public static string Count(long number, string one, string? many = null) => $"{number} {(number == 1 ? one : many ?? one + "s")}";

    /// <summary>Why the command failed: what, where, what to do.</summary>
    public static void Failure(BackupDrException failure, bool asJson)
    {
        if (!asJson)
        {
            Console.Error.WriteLine($"backupdr: {failure.Message}");
            if (failure.Hint is { } hint) Console.Error.WriteLine($"  {hint}");
            return;
        }
        Console.Error.WriteLine(JsonText(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("message_type", "exit_error");
            writer.WriteNumber("exit_code", ExitCodes.Of(failure));
            writer.WriteString("code", failure.Code);
            writer.WriteString("message", failure.Message);
            if (failure.Hint is { } hint) writer.WriteString("hint", hint);
            writer.WriteEndObject();
        }));
    }

    static string JsonText(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Plain)) write(writer);
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>"1.234 GiB", as restic writes sizes.</summary>
    public static string Size(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        var (value, unit) = ((double)bytes, 0);
        while (value >= 1024 && unit < units.Length - 1) { value /= 1024; unit++; }
        if (unit == 0) return $"{bytes} B";
        // Halves go to the even digit, as in restic's words for the same number.
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Round(value, 3, MidpointRounding.ToEven):0.000} {units[unit]}");
    }

    /// <summary>"1:02:03" or "2:03".</summary>
    public static string Time(TimeSpan duration)
        => duration.ToString(duration.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);
}
