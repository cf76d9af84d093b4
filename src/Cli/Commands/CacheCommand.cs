using System.CommandLine;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr cache</c>: what this machine keeps of repositories between commands.</summary>
sealed class CacheCommand
{
    readonly Option<bool> _cleanup = new("--cleanup") { Description = "Remove what was not used for longer than --max-age." };
    readonly Option<int> _maximumAge = new("--max-age")
    {
        Description = "Days after which a cached repository is old.",
        DefaultValueFactory = _ => 30,
    };
    readonly Option<bool> _json = new("--json") { Description = "Results and errors as JSON." };

    /// <summary>A repository's part of the cache.</summary>
    sealed record Cached(DirectoryInfo Folder, TimeSpan Age, long Bytes);

    public static Command Make()
    {
        var made = new CacheCommand();
        var command = new Command("cache", "List the indexes that are kept on this machine, or remove old ones. No repository is opened.")
        {
            made._cleanup, made._maximumAge, made._json,
        };
        command.SetAction(made.Run);
        return command;
    }

    int Run(ParseResult given)
    {
        var output = new Output(given.GetValue(_json), quiet: false);
        if (given.GetValue(_maximumAge) is < 0 and var days)
            throw new BadInputException("--max-age", $"{days} days cannot have passed.", "Write a number of days from 0.");
        var maximum = TimeSpan.FromDays(given.GetValue(_maximumAge));
        var folder = RepositoryArguments.CacheFolder ?? throw new BadInputException("cache", "It is not known where the cache is.",
            "Set BACKUPDR_CACHE_DIR, or HOME.");
        var found = List(new DirectoryInfo(folder.ToString()));
        if (given.GetValue(_cleanup)) return CleanUp(output, found.Where(cached => cached.Age > maximum));
        foreach (var cached in found)
            output.Line($"{cached.Folder.Name[..8]}  {Words(cached.Age),-14}  {(cached.Age > maximum ? "old" : ""),-3}  "
                + Output.Size(cached.Bytes));
        output.Line($"{Output.Count(found.Count, "repository", "repositories")} in {folder}, {Output.Size(found.Sum(one => one.Bytes))}");
        output.Json(json =>
        {
            json.WriteStartArray();
            foreach (var cached in found) Write(json, cached, cached.Age > maximum);
            json.WriteEndArray();
        });
        return ExitCodes.Done;
    }

    static int CleanUp(Output output, IEnumerable<Cached> old)
    {
        var (count, bytes) = (0, 0L);
        foreach (var cached in old)
        {
            try { cached.Folder.Delete(recursive: true); }
            catch (DirectoryNotFoundException) { continue; }   // somebody else cleans up, too
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new BadInputException("cache", $"{cached.Folder.FullName} cannot be removed: {e.Message}", "Check its rights.");
            }
            count++;
            bytes += cached.Bytes;
        }
        output.Line($"Removed {Output.Count(count, "cached repository", "cached repositories")}, {Output.Size(bytes)}.");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "cache_removed");
            json.WriteNumber("removed", count);
            json.WriteNumber("bytes", bytes);
            json.WriteEndObject();
        });
        return ExitCodes.Done;
    }

    /// <summary>Folders that are named like repositories; whatever else lies there is not ours.</summary>
    static IReadOnlyList<Cached> List(DirectoryInfo cache)
    {
        if (!cache.Exists) return [];
        var now = TimeProvider.System.GetUtcNow();
        return [.. cache.EnumerateDirectories().Where(folder => BlobId.TryParse(folder.Name, out _) && folder.LinkTarget is null)
            .Select(folder => new Cached(folder, now - new DateTimeOffset(folder.LastWriteTimeUtc, TimeSpan.Zero),
                folder.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length)))
            .OrderBy(cached => cached.Age)];
    }

    static string Words(TimeSpan age) => age.TotalDays >= 1 ? $"{Output.Count((long)age.TotalDays, "day")} ago" : "today";

    static void Write(Utf8JsonWriter json, Cached cached, bool isOld)
    {
        json.WriteStartObject();
        json.WriteString("repository", cached.Folder.Name);
        json.WriteNumber("unused_seconds", (long)cached.Age.TotalSeconds);
        json.WriteBoolean("old", isOld);
        json.WriteNumber("bytes", cached.Bytes);
        json.WriteEndObject();
    }
}
