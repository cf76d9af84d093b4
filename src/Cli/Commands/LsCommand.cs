using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Replicas;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr ls SNAPSHOT[:PATH]</c>.</summary>
sealed class LsCommand
{
    readonly Argument<string> _snapshot = new("SNAPSHOT[:PATH]")
    {
        Description = "The beginning of an id or 'latest'; with a path, what lies in that folder.",
    };
    readonly Option<bool> _long = new("--long", "-l") { Description = "Modes, owners, sizes and times." };
    readonly Option<bool> _recursive = new("--recursive") { Description = "Everything below the path." };

    public static Command Make()
    {
        var made = new LsCommand();
        var command = new Command("ls", "List what is in a snapshot: all of it, or one folder.")
        {
            made._snapshot, made._long, made._recursive,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        using var repository = await arguments.Open(given, ct);
        var (snapshot, path) = await which.Find(repository, given.GetValue(_snapshot)!, given, ct);
        var browser = await TreeBrowser.Open(repository, ct);
        arguments.TellReplicas(given, repository);
        output.Json(json => SnapshotsCommand.Write(json, snapshot));
        var isLong = given.GetValue(_long);
        if (path.IsEmpty || given.GetValue(_recursive))
        {
            await foreach (var (at, node) in browser.Walk(snapshot, path, ct)) Show(output, at, node, isLong);
            return ExitCodes.Done;
        }
        var isFolder = await browser.Find(snapshot, path, ct) is null or { Type: NodeType.Dir };
        foreach (var node in await browser.List(snapshot, path, ct))
            Show(output, isFolder ? path.Join(node.Name.Bytes) : path, node, isLong);
        return ExitCodes.Done;
    }

    static void Show(Output output, FilePath path, Node node, bool isLong)
    {
        if (!output.IsJson) output.Line(isLong ? Long(path, node) : path.ToString());
        output.Json(json => Write(json, path, node));
    }

    /// <summary>An entry as restic's ls writes it.</summary>
    internal static void Write(Utf8JsonWriter json, FilePath path, Node node)
    {
        json.WriteStartObject();
        json.WriteString("name", node.Name.ToString());
        json.WriteString("type", Kind(node.Type));
        json.WriteString("path", path.ToString());
        json.WriteNumber("uid", node.Uid);
        json.WriteNumber("gid", node.Gid);
        if (node.Type == NodeType.File) json.WriteNumber("size", node.SizeBytes);
        json.WriteString("permissions", Mode(node));
        json.WriteString("mtime", GoTime.Format(node.ModifiedAt));
        if (node.Type == NodeType.Symlink) json.WriteString("linktarget", node.LinkTarget.ToString());
        json.WriteString("struct_type", "node");
        json.WriteEndObject();
    }

    /// <summary>A time as tables show it: UTC, whole seconds.</summary>
    internal static string Time(UnixTime time)
        => time.ToDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    internal static string Long(FilePath path, Node node)
    {
        var target = node.Type == NodeType.Symlink ? $" -> {node.LinkTarget}" : "";
        return $"{Mode(node)} {node.Uid,5} {node.Gid,5} {node.SizeBytes,12} {Time(node.ModifiedAt)} {path}{target}";
    }

    /// <summary>restic's word for a kind.</summary>
    static string Kind(NodeType type) => type switch
    {
        NodeType.File => "file",
        NodeType.Dir => "dir",
        NodeType.Symlink => "symlink",
        NodeType.Dev => "dev",
        NodeType.CharDev => "chardev",
        NodeType.Fifo => "fifo",
        _ => "socket",
    };

    /// <summary>"drwxr-sr-t", as ls writes it.</summary>
    internal static string Mode(Node node)
    {
        Span<char> text = stackalloc char[10];
        text[0] = node.Type switch
        {
            NodeType.Dir => 'd',
            NodeType.Symlink => 'l',
            NodeType.Dev => 'b',
            NodeType.CharDev => 'c',
            NodeType.Fifo => 'p',
            NodeType.Socket => 's',
            _ => '-',
        };
        for (var bit = 0; bit < 9; bit++) text[1 + bit] = (node.Permissions >> (8 - bit) & 1) == 1 ? "rwx"[bit % 3] : '-';
        if ((node.Permissions & 0x800) != 0) text[3] = text[3] == 'x' ? 's' : 'S';
        if ((node.Permissions & 0x400) != 0) text[6] = text[6] == 'x' ? 's' : 'S';
        if ((node.Permissions & 0x200) != 0) text[9] = text[9] == 'x' ? 't' : 'T';
        return new string(text);
    }
}
