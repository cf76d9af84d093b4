namespace BackupDr.Architecture.Tests;

/// <summary>A wall: types below these names are out of reach of this assembly.</summary>
public sealed record Wall(string Assembly, params string[] Forbidden)
{
    public IEnumerable<string> Breaches(AssemblyUse use) => use.Types
        .Where(type => Forbidden.Any(name => type == name || type.StartsWith(name + ".", StringComparison.Ordinal)))
        .Order(StringComparer.Ordinal).Select(type => $"{Assembly} uses {type}");
}

/// <summary>Walls that the compiler does not see, looked up in the built assemblies.</summary>
public sealed class WallTests
{
    // The base library hides failed flushes and cannot tell two odd names apart: whoever holds data goes through Storage.Posix.
    static readonly string[] FileTwins =
    [
        "System.IO.File", "System.IO.FileStream", "System.IO.FileInfo", "System.IO.Directory", "System.IO.DirectoryInfo",
        "System.IO.RandomAccess", "System.IO.StreamWriter", "System.IO.Enumeration",
    ];

    static readonly string[] Databases = ["Npgsql", "System.Data"];

    static readonly Wall[] Walls =
    [
        new("BackupDr.Contracts", ["Microsoft.AspNetCore", "Quartz", .. Databases, .. FileTwins]),
        new("BackupDr.Storage",
            ["Microsoft.AspNetCore", "Quartz", "BackupDr.Contracts.Agents", "BackupDr.Contracts.Api", "BackupDr.Contracts.Jobs",
                .. Databases, .. FileTwins]),
        new("BackupDr.Engine",
            ["Microsoft.AspNetCore", "Quartz", "BackupDr.Contracts.Agents", "BackupDr.Contracts.Api", "BackupDr.Contracts.Jobs",
                .. Databases, .. FileTwins]),
        // A child's input is a StreamWriter; its constructors that take a path are banned symbols.
        new("BackupDr.Sources", ["Microsoft.AspNetCore", "Quartz", "BackupDr.Contracts.Api",
            .. FileTwins.Except(["System.IO.StreamWriter"])]),
        new("backupdr-agent", ["Microsoft.AspNetCore", "Quartz", "BackupDr.Contracts.Api", .. Databases]),
        new("backupdr", ["Microsoft.AspNetCore", "Quartz", .. Databases]),
        new("BackupDr.Web", ["Quartz", .. Databases]),
    ];

    // System calls live in one layer, so that errno is turned into a typed error in one place.
    static readonly Dictionary<string, string[]> NativeLibraries = new()
    {
        ["BackupDr.Contracts"] = [],
        ["BackupDr.Storage"] = ["libc"],
        ["BackupDr.Engine"] = ["libcrypto", "libzstd"],
        ["BackupDr.Sources"] = [],
        ["backupdr-agent"] = [],
        ["backupdr"] = [],
        ["BackupDr.Scheduler"] = [],
        ["BackupDr.Web"] = [],
    };

    public static TheoryData<string> Assemblies => [.. NativeLibraries.Keys];

    [Theory, MemberData(nameof(Assemblies))]
    public void No_assembly_reaches_over_a_wall(string assembly)
        => Rule.Holds(Walls.Where(wall => wall.Assembly == assembly).SelectMany(wall => wall.Breaches(AssemblyUse.Read(assembly))));

    [Theory, MemberData(nameof(Assemblies))]
    public void Native_libraries_are_called_only_from_their_layer(string assembly)
        => Rule.Holds(AssemblyUse.Read(assembly).NativeLibraries.Except(NativeLibraries[assembly]));

    [Fact]
    public void Only_the_timing_folder_knows_the_firing_engine()
        => Rule.Holds(SourceTree.Below("src/", ".cs", ".razor")
            .Where(file => !file.Path.StartsWith("src/Scheduler/Timing/", StringComparison.Ordinal))
            .SelectMany(file => Namespaces.Uses(file, "Quartz")));

    [Fact]
    public void Only_the_documents_of_policies_know_the_reader_of_YAML()
        => Rule.Holds(SourceTree.Below("src/", ".cs", ".razor")
            .Where(file => !file.Path.StartsWith("src/Scheduler/Policies/Documents/", StringComparison.Ordinal))
            .SelectMany(file => Namespaces.Uses(file, "YamlDotNet")));

    [Fact]
    public void Of_the_data_plane_only_the_folder_of_PostgreSQL_knows_its_driver()
        => Rule.Holds(SourceTree.Below("src/Sources/", ".cs")
            .Where(file => !file.Path.StartsWith("src/Sources/PostgreSql/", StringComparison.Ordinal))
            .SelectMany(file => Namespaces.Uses(file, "Npgsql").Concat(Namespaces.Uses(file, "System.Data"))));

    [Fact]
    public void A_planted_breach_is_found()
    {
        var here = AssemblyUse.Read("BackupDr.Architecture.Tests");

        Assert.Equal(
            ["BackupDr.Architecture.Tests uses System.Reflection.Metadata.MetadataReader",
                "BackupDr.Architecture.Tests uses System.Xml.Linq.XDocument"],
            new Wall(here.Name, "System.Reflection.Metadata.MetadataReader", "System.Xml.Linq.XDocument").Breaches(here));
        Assert.Empty(new Wall(here.Name, "System.Xml.Lin").Breaches(here));
        Assert.Single(Namespaces.Uses(new SourceFile("src/Scheduler/Runs/RunLoop.cs", "using System;\nusing Quartz;\n"), "Quartz"));
        Assert.Single(Namespaces.Uses(new SourceFile("src/Scheduler/Runs/RunLoop.cs", "var key = new Quartz.JobKey(name);\n"), "Quartz"));
        Assert.Empty(Namespaces.Uses(new SourceFile("src/Scheduler/Runs/RunLoop.cs", "// Quartz fires.\n"), "Quartz"));
    }
}

/// <summary>Where a source text names a namespace.</summary>
static class Namespaces
{
    public static IEnumerable<string> Uses(SourceFile file, string name)
    {
        for (var at = 0; at < file.Lines.Length; at++)
        {
            var line = file.Lines[at].Trim();
            if (line.StartsWith("//", StringComparison.Ordinal)) continue;
            if (line == $"using {name};" || line.StartsWith($"using {name}.", StringComparison.Ordinal)
                || line.StartsWith($"@using {name}", StringComparison.Ordinal)
                || System.Text.RegularExpressions.Regex.IsMatch(line, $@"(?<![\w.""]){name}\.[A-Z]"))
                yield return file.At(at + 1, $"names {name}");
        }
    }
}
