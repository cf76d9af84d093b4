using System.Globalization;
using System.Security.Cryptography;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>Sites of one test: a network namespace each, with an address of its own, all on one switch (a bridge) that the tests' own
/// network hangs on too, as clients do.</summary>
/// <remarks>A site is cut off by taking its port of the switch down: what works there goes on, and nobody hears of it. Folders and
/// processes are this machine's, so sockets in folders reach over sites: a test lets only programs of one site use them. Needs root,
/// iproute2 and util-linux.</remarks>
public sealed class SiteNetwork : IDisposable
{
    const int FirstSite = 2;

    readonly string _tag = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3));
    readonly List<Site> _sites = [];

    SiteNetwork() { }

    /// <summary>A site.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Address">By which all others reach it.</param>
    /// <param name="Namespace">Name of its network namespace.</param>
    /// <param name="Port">The switch's end of its cable.</param>
    public sealed record Site(string Name, string Address, string Namespace, string Port)
    {
        /// <summary>The words to put before a program's, to run it there.</summary>
        public IReadOnlyList<string> Words => ["nsenter", $"--net=/run/netns/{Namespace}", "--"];
    }

    /// <summary>The site of a name.</summary>
    public Site this[string name] => _sites.Single(site => site.Name == name);

    string Bridge => $"bdr{_tag}";

    /// <summary>Makes them; skips the test where that is not possible.</summary>
    public static SiteNetwork Start(params IReadOnlyList<string> names)
    {
        if (IsolatedHost.Missing() is { } missing)
        {
            if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail($"needs {missing}");
            Assert.Skip($"needs {missing}");
        }
        var network = new SiteNetwork();
        try { network.Make(names); }
        catch
        {
            network.Dispose();
            throw;
        }
        return network;
    }

    void Make(IReadOnlyList<string> names)
    {
        var net = RandomNumberGenerator.GetInt32(0, 256);
        string At(int place) => string.Create(CultureInfo.InvariantCulture, $"10.214.{net}.{place}");
        Ip("link", "add", Bridge, "type", "bridge");
        Ip("addr", "add", $"{At(1)}/24", "dev", Bridge);
        Ip("link", "set", Bridge, "up");
        foreach (var name in names)
        {
            var place = FirstSite + _sites.Count;
            var site = new Site(name, At(place), $"bdr-{_tag}-{name}", string.Create(CultureInfo.InvariantCulture, $"{Bridge}p{place}"));
            Ip("netns", "add", site.Namespace);
            _sites.Add(site);
            Ip("link", "add", site.Port, "type", "veth", "peer", "name", "eth0", "netns", site.Namespace);
            Ip("link", "set", site.Port, "master", Bridge, "up");
            Ip("-n", site.Namespace, "addr", "add", $"{site.Address}/24", "dev", "eth0");
            Ip("-n", site.Namespace, "link", "set", "eth0", "up");
            Ip("-n", site.Namespace, "link", "set", "lo", "up");
        }
    }

    /// <summary>Takes the site's port of the switch down: nothing gets out or in any more.</summary>
    public static void Cut(Site site) => Ip("link", "set", site.Port, "down");

    /// <summary>Takes it up again.</summary>
    public static void Join(Site site) => Ip("link", "set", site.Port, "up");

    static void Ip(params IEnumerable<string> words) => Tool.Succeed("ip", words);

    /// <summary>Takes all of it down. What still works there is killed.</summary>
    public void Dispose()
    {
        foreach (var site in _sites)
        {
            foreach (var pid in Tool.Run("ip", ["netns", "pids", site.Namespace]).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                Tool.Run("kill", ["-KILL", pid]);
            Tool.Run("ip", ["link", "del", site.Port]);
            Tool.Run("ip", ["netns", "del", site.Namespace]);
        }
        Tool.Run("ip", ["link", "del", Bridge]);
    }
}
