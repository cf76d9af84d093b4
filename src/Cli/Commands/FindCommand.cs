using System.CommandLine;
using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr find PATTERN…</c>.</summary>
sealed class FindCommand
{
    static readonly string[] TimeForms =
        ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm", "yyyy-MM-dd", "yyyy/MM/dd HH:mm:ss", "yyyy/MM/dd HH:mm", "yyyy/MM/dd"];

    readonly Argument<string[]> _patterns = new("PATTERN")
    {
        Arity = ArgumentArity.OneOrMore,
        Description = "Names or paths with *, ?, [a-z] and **, as in .gitignore; beginnings of ids with --blob, --tree and --pack.",
    };
    readonly Option<string[]> _snapshots = new("--snapshot", "-s") { Description = "Only in this snapshot; may be repeated." };
    readonly Option<bool> _ignoreCase = new("--ignore-case", "-i") { Description = "Capitals and small letters are the same." };
    readonly Option<bool> _long = new("--long", "-l") { Description = "Modes, owners, sizes and times." };
    readonly Option<string?> _oldest = new("--oldest", "-O")
    {
        Description = "Only what was changed then (UTC) or later: 2026-01-31 [12:00[:00]].",
    };
    readonly Option<string?> _newest = new("--newest", "-N") { Description = "Only what was changed then (UTC) or earlier." };
    readonly Option<bool> _blob = new("--blob") { Description = "The patterns are ids of data blobs." };
    readonly Option<bool> _tree = new("--tree") { Description = "The patterns are ids of trees." };
    readonly Option<bool> _pack = new("--pack") { Description = "The patterns are ids of packs." };

    public static Command Make()
    {
        var made = new FindCommand();
        var command = new Command("find", "Find entries by name, or what uses a blob, a tree or a pack.")
        {
            made._patterns, made._snapshots, made._ignoreCase, made._long, made._oldest, made._newest, made._blob, made._tree, made._pack,
        };
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var (oldest, newest) = (Time(given.GetValue(_oldest), "--oldest"), Time(given.GetValue(_newest), "--newest"));
        var byId = given.GetValue(_blob) || given.GetValue(_tree) || given.GetValue(_pack);
        var fits = byId ? null : ByName(given);
        using var repository = await arguments.Open(given, ct);
        var snapshots = await which.FindAll(repository, given.GetValue(_snapshots) ?? [], given, ct);
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        var uses = fits is null ? await ById(repository, given, ct) : null;
        var all = new List<(Snapshot Snapshot, List<(FilePath Path, Node Node)> Hits)>();
        foreach (var snapshot in snapshots)
        {
            var hits = new List<(FilePath Path, Node Node)>();
            if (uses is not null && given.GetValue(_tree) && Begins(snapshot.Tree, given))
                output.Line($"Found the root tree of snapshot {snapshot.ShortId}");
            await foreach (var (path, node) in new TreeBrowser(reader).Walk(snapshot, default, ct))
                if ((fits?.Invoke(path, node) ?? uses!(node)) && InTime(node, oldest, newest)) hits.Add((path, node));
            if (hits.Count == 0) continue;
            all.Add((snapshot, hits));
            output.Note($"Found matching entries in snapshot {snapshot.ShortId} from {LsCommand.Time(snapshot.Time)}");
            foreach (var (path, node) in hits) output.Line(given.GetValue(_long) ? LsCommand.Long(path, node) : path.ToString());
        }
        output.Json(json =>
        {
            json.WriteStartArray();
            foreach (var (snapshot, hits) in all)
            {
                json.WriteStartObject();
                json.WriteStartArray("matches");
                foreach (var (path, node) in hits) LsCommand.Write(json, path, node);
                json.WriteEndArray();
                json.WriteNumber("hits", hits.Count);
                json.WriteString("snapshot", snapshot.Id.ToString());
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });
        return ExitCodes.Done;
    }

    /// <summary>Whether any pattern takes an entry. Each stands alone: a later one never takes back an earlier one.</summary>
    Func<FilePath, Node, bool> ByName(ParseResult given)
    {
        var ignoreCase = given.GetValue(_ignoreCase);
        var rules = given.GetValue(_patterns)!
            .Select(pattern => ExcludeRules.Parse([ignoreCase ? pattern.ToLowerInvariant() : pattern])).ToList();
        return (path, node) =>
        {
            var parts = (ignoreCase ? Lower(path) : path).Parts();
            var folder = new FilePath("/"u8.ToArray());
            for (var i = 0; i < parts.Count - 1; i++) folder = folder.Join(parts[i].Bytes);
            return rules.Any(rule => rule.Match(folder, parts[^1], node.Type == NodeType.Dir));
        };
    }

    /// <summary>Bytes that are no UTF-8 stay as they are.</summary>
    static FilePath Lower(FilePath path) => System.Text.Unicode.Utf8.IsValid(path.Bytes)
        ? FilePath.FromText(Encoding.UTF8.GetString(path.Bytes).ToLowerInvariant()) : path;

    /// <summary>Whether an entry uses one of the objects that the patterns name.</summary>
    async Task<Func<Node, bool>> ById(Repository repository, ParseResult given, CancellationToken ct)
    {
        if (given.GetValue(_blob)) return node => node.Content.Any(id => Begins(id, given));
        if (given.GetValue(_tree)) return node => node.Subtree is { } tree && Begins(tree, given);
        var blobs = new HashSet<BlobId>();
        await foreach (var pack in RepositoryObjects.Packs(repository, ct))
            if (Begins(pack.Id, given)) blobs.UnionWith(pack.Blobs.Select(blob => blob.Id));
        return node => node.Content.Any(blobs.Contains) || (node.Subtree is { } tree && blobs.Contains(tree));
    }

    bool Begins(BlobId id, ParseResult given)
        => given.GetValue(_patterns)!.Any(prefix => id.ToString().StartsWith(prefix, StringComparison.Ordinal));

    static bool InTime(Node node, DateTimeOffset? oldest, DateTimeOffset? newest)
        => (oldest is null && newest is null) || (node.ModifiedAt.ToDateTimeOffset() is var time
            && (oldest is null || time >= oldest) && (newest is null || time <= newest));

    static DateTimeOffset? Time(string? text, string option)
        => text is null ? null : DateTimeOffset.TryParseExact(text, TimeForms, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time
            : throw new BadInputException(option, $"{option}: '{text}' is not a time.", "Write it like 2026-01-31 or 2026-01-31 12:00:00.");
}
