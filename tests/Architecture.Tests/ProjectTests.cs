using System.Xml.Linq;

namespace BackupDr.Architecture.Tests;

/// <summary>What a project file says that it uses.</summary>
public sealed record ProjectUse(string Name, IReadOnlySet<string> Projects, IReadOnlySet<string> Packages)
{
    public static ProjectUse Read(SourceFile file)
    {
        var items = XDocument.Parse(file.Text).Descendants();
        return new ProjectUse(
            Path.GetFileNameWithoutExtension(file.Path),
            items.Where(item => item.Name.LocalName == "ProjectReference")
                .Select(item => Path.GetFileNameWithoutExtension(item.Attribute("Include")!.Value)).ToHashSet(),
            items.Where(item => item.Name.LocalName == "PackageReference").Select(item => item.Attribute("Include")!.Value).ToHashSet());
    }
}

public sealed class ProjectTests
{
    // The whole dependency graph. To add an arrow, change this list and docs/decisions in the same commit.
    static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Contracts"] = [],
        ["Storage"] = ["Contracts", "System.IO.Hashing"],   // the second is a stand-in for a package: docs/decisions/0013
        ["Engine"] = ["Storage"],
        ["Sources"] = ["Engine"],
        ["Agent"] = ["Sources"],
        ["Cli"] = ["Sources"],   // data plane
        ["Scheduler"] = ["Storage"],
        ["Web"] = ["Scheduler"],                                                 // control plane
    };

    // Every package of the product. A new one needs a reason that no 200 lines could answer, and a page in docs/decisions.
    static readonly Dictionary<string, string[]> Packages = new()
    {
        ["Contracts"] = [],
        ["Storage"] = ["AWSSDK.S3", "Azure.Core", "Azure.Storage.Blobs"],
        ["Engine"] = [],
        ["Sources"] = ["Microsoft.Data.Sqlite.Core", "Npgsql", "SQLitePCLRaw.bundle_e_sqlite3"],   // docs/decisions/0018
        ["Agent"] = [],
        ["Web"] = [],
        ["Cli"] = ["Spectre.Console", "System.CommandLine"],
        ["Scheduler"] = ["Microsoft.AspNetCore.OpenApi", "Npgsql", "OpenTelemetry.Exporter.OpenTelemetryProtocol", "Quartz",
            "YamlDotNet"],   // docs/decisions/0030, 0053
    };

    static IEnumerable<ProjectUse> Product => SourceTree.Below("src/", ".csproj").Select(ProjectUse.Read);

    [Fact]
    public void Each_project_has_exactly_the_arrows_of_the_list()
        => Rule.Holds(Differences(Arrows, Product.ToDictionary(project => project.Name, project => project.Projects), "->"));

    [Fact]
    public void Each_project_has_exactly_the_packages_of_the_list()
        => Rule.Holds(Differences(Packages, Product.ToDictionary(project => project.Name, project => project.Packages), "uses"));

    [Fact]
    public void A_planted_arrow_and_a_planted_package_are_found()
    {
        var project = ProjectUse.Read(new SourceFile("src/Agent/Agent.csproj", """
            <Project><ItemGroup>
              <ProjectReference Include="../Sources/Sources.csproj" /><ProjectReference Include="../Scheduler/Scheduler.csproj" />
              <PackageReference Include="Dapper" />
            </ItemGroup></Project>
            """));

        Assert.Equal(["Agent -> Sources, not Scheduler Sources"],
            Differences(Only(Arrows, "Agent"), new() { ["Agent"] = project.Projects }, "->"));
        Assert.Equal(["Agent uses nothing, not Dapper"],
            Differences(Only(Packages, "Agent"), new() { ["Agent"] = project.Packages }, "uses"));
    }

    [Fact]
    public void Every_package_version_is_used_by_a_project()
    {
        var named = XDocument.Parse(SourceTree.File("Directory.Packages.props").Text).Descendants()
            .Where(item => item.Name.LocalName == "PackageVersion").Select(item => item.Attribute("Include")!.Value);
        var used = SourceTree.Files.Where(file => Path.GetExtension(file.Path) is ".csproj" or ".props")
            .SelectMany(file => ProjectUse.Read(file).Packages).ToHashSet();

        Rule.Holds(named.Except(used));
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(SourceTree.Root, "BackupDr.sln")).Replace('\\', '/');

        Rule.Holds(SourceTree.Files.Where(file => file.Path.EndsWith(".csproj", StringComparison.Ordinal)
            && !solution.Contains(file.Path, StringComparison.Ordinal)).Select(file => file.Path));
    }

    static Dictionary<string, string[]> Only(Dictionary<string, string[]> list, string name) => new() { [name] = list[name] };

    static List<string> Differences(Dictionary<string, string[]> wanted, Dictionary<string, IReadOnlySet<string>> found, string verb)
    {
        static string Words(IEnumerable<string> names)
            => string.Join(' ', names.Order(StringComparer.Ordinal)) is { Length: > 0 } text ? text : "nothing";
        return [.. wanted.Keys.Union(found.Keys).Order(StringComparer.Ordinal)
            .Select(name => (name, want: Words(wanted.GetValueOrDefault(name, [])),
            have: Words(found.GetValueOrDefault(name, new HashSet<string>()))))
            .Where(row => row.want != row.have)
            .Select(row => $"{row.name} {verb} {row.want}, not {row.have}")];
    }
}
