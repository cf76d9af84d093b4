using Microsoft.Extensions.Configuration;

namespace BackupDr.Scheduler.Tests;

public sealed class SettingsTests
{
    static IConfiguration Of(params (string Key, string Value)[] values)
        => new ConfigurationBuilder().AddInMemoryCollection(values.ToDictionary(pair => pair.Key, string? (pair) => pair.Value)).Build();

    static readonly (string, string)[] Enough = [("Database:ConnectionString", "Host=db"),
        ("Secrets:KeyFile", "/var/lib/backupdr/sealing.key")];

    static string Sample()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "BackupDr.sln"))) return Path.Combine(folder.FullName, "appsettings.sample.json");
        throw new InvalidOperationException("The tests do not run below the checkout.");
    }

    [Fact]
    public void The_sample_file_has_every_key_with_its_default_and_no_other()
    {
        var sample = Settings.Load(Sample()).AsEnumerable().Where(pair => pair.Value is not null).Select(pair => pair.Key).ToHashSet();
        var keys = Settings.Keys<NodeSettings>().ToDictionary(pair => pair.Key, pair => pair.Default);

        Assert.Equal(keys.Keys.Order(StringComparer.Ordinal), sample.Order(StringComparer.Ordinal));
        var read = Settings.Read<NodeSettings>(Settings.Load(Sample()));
        var defaults = new NodeSettings();
        Assert.Equal(defaults.Console.Url, read.Console.Url);
        Assert.Equal(defaults.Agents.Url, read.Agents.Url);
        Assert.Equal(defaults.Node.Roles, read.Node.Roles);
        Assert.Equal(defaults.Log, read.Log);
    }

    [Fact]
    public void The_sample_file_explains_each_key_on_the_line_above_it()
    {
        var lines = File.ReadAllLines(Sample());
        var unexplained = lines.Select((line, at) => (line, at)).Where(pair => pair.line.TrimStart().StartsWith('"'))
            .Where(pair => !lines[pair.at - 1].TrimStart().StartsWith("//", StringComparison.Ordinal))
            .Select(pair => pair.line.Trim());

        Assert.Empty(unexplained);
    }

    [Fact]
    public void Everything_that_is_wrong_is_told_at_once()
    {
        var e = Assert.Throws<SettingsException>(() => Settings.Read<NodeSettings>(Of(
            ("Console:Url", "http://0.0.0.0:8420"), ("Agents:Url", "http://0.0.0.0:1"), ("Node:Roles", "Api,Boss"), ("Node:Nmae", "x"),
                ("Log:Level", "Loud"), ("Nothing", "x"))));

        Assert.Equal(
            ["Agents:Url", "Console:Url", "Database:ConnectionString", "Log:Level", "Node:Nmae", "Node:Roles", "Nothing",
                "Secrets:KeyFile"],
            e.Problems.Select(problem => problem.Split(' ')[0]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_unknown_key_is_answered_with_the_known_ones()
    {
        var e = Assert.Throws<SettingsException>(() => Settings.Read<NodeSettings>(Of([.. Enough, ("Agents:PublicAddress", "x")])));

        Assert.Equal("Agents:PublicAddress is no setting; here are: Agents:Url, Agents:PublicUrl, Agents:Archive, "
            + "Agents:AloneAfterSeconds, Agents:AloneDays.",
            Assert.Single(e.Problems));
    }

    [Theory]
    [InlineData("Api, Loops")]
    [InlineData("api,loops")]
    public void Roles_are_a_list_in_one_line(string roles)
        => Assert.Equal([NodeRole.Api, NodeRole.Loops], Settings.Read<NodeSettings>(Of([.. Enough, ("Node:Roles", roles)])).Node.Roles);

    [Fact]
    public void Roles_may_also_be_a_JSON_list()
        => Assert.Equal([NodeRole.Console], Settings.Read<NodeSettings>(Of([.. Enough, ("Node:Roles:0", "Console")])).Node.Roles);

    [Fact]
    public void A_settings_file_that_is_missing_or_no_JSON_is_named()
    {
        var broken = Path.Combine(Directory.CreateTempSubdirectory("bdr-settings-").FullName, "broken.json");
        File.WriteAllText(broken, "{");

        Assert.Contains("/nowhere.json does not exist", Assert.Throws<SettingsException>(() => Settings.Load("/nowhere.json")).Message,
            StringComparison.Ordinal);
        Assert.Contains(broken, Assert.Throws<SettingsException>(() => Settings.Load(broken)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8420, "Console:Url is http://127.0.0.1:8420, and port 8420 is in use")]
    [InlineData(8421, "Agents:Url is https://127.0.0.1:8421, and port 8421 is in use")]
    public void A_port_in_use_is_told_with_its_setting(int port, string expected)
    {
        var settings = new NodeSettings { Agents = new AgentsOptions { Url = "https://127.0.0.1:8421" } };

        var problem = SchedulerNode.PortInUse(settings, $"Failed to bind to address 127.0.0.1:{port}: address already in use.");

        Assert.StartsWith(expected, problem, StringComparison.Ordinal);
    }
}
