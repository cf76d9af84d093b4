namespace BackupDr.Architecture.Tests;

/// <summary>A text file of the tree: path relative to the root with forward slashes, and its content.</summary>
public sealed record SourceFile(string Path, string Text)
{
    public string[] Lines { get; } = Text.Split('\n');

    /// <summary>"path:line: what", as editors understand it.</summary>
    public string At(int line, string what) => $"{Path}:{line}: {what}";

    /// <summary>Number of the line that holds the character at <paramref name="index"/>, from 1.</summary>
    public int LineOf(int index) => Text.AsSpan(0, index).Count('\n') + 1;
}

/// <summary>The checkout that these tests were built from.</summary>
public static class SourceTree
{
    static readonly string[] Left = ["artifacts", "bin", "obj", ".git", "node_modules", "TestResults", "__pycache__"];
    static readonly string[] TextKinds =
        [".cs", ".csproj", ".props", ".targets", ".razor", ".css", ".js", ".sql", ".sh", ".py", ".md", ".json", ".yml", ".svg", ".txt",
            ".service"];

    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<SourceFile> Files { get; } = [.. Read(Root)];

    public static IEnumerable<SourceFile> Below(string folder, params string[] kinds)
        => Files.Where(file => file.Path.StartsWith(folder, StringComparison.Ordinal) && kinds.Contains(Path.GetExtension(file.Path)));

    public static SourceFile File(string path) => Files.Single(file => file.Path == path);

    public static bool Exists(string path) => Files.Any(file => file.Path == path);

    static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (System.IO.File.Exists(Path.Combine(folder.FullName, "BackupDr.sln"))) return folder.FullName;
        throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds BackupDr.sln.");
    }

    static IEnumerable<SourceFile> Read(string folder)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(entry);
            if (Left.Contains(name)) continue;
            if (Directory.Exists(entry))
            {
                foreach (var file in Read(entry)) yield return file;
            }
            else if (IsText(entry))
            {
                yield return new SourceFile(Path.GetRelativePath(Root, entry), System.IO.File.ReadAllText(entry));
            }
        }
    }

    // Scripts without an extension are recognised by their first two characters.
    static bool IsText(string path)
    {
        if (TextKinds.Contains(Path.GetExtension(path))) return !path.EndsWith("packages.lock.json", StringComparison.Ordinal);
        if (Path.GetExtension(path) != "") return false;
        using var file = System.IO.File.OpenRead(path);
        return file.ReadByte() == '#' && file.ReadByte() == '!';
    }
}
