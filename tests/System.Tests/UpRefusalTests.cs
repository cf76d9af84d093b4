using System.Globalization;
using System.Net;
using System.Net.Sockets;
using BackupDr.SystemTests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>What <c>up</c> is given and cannot use: one clear message each, exit code 1, and no database left behind.</summary>
public sealed class UpRefusalTests
{
    [Theory]
    [InlineData("does not exist", "--protect", "/does/not/exist")]
    [InlineData("nothing to protect")]
    [InlineData("no port", "--protect", "/etc/hostname", "--port", "70000")]
    public async Task Up_says_what_it_cannot_use(string said, params string[] arguments)
    {
        await using var service = new Service();

        var result = Tool.Run(Service.Program, ["up", "--once", "--data", service.Data, .. arguments.Contains("--port") ? (string[])[]
            : Port(service), .. arguments]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(said, result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(service.Data, "pg")));
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        await using var service = new Service();
        using var squatter = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        squatter.Bind(new IPEndPoint(IPAddress.Loopback, service.Port));
        squatter.Listen();

        var result = Tool.Run(Service.Program, ["up", "--once", "--protect", "/etc/hostname", "--data", service.Data, .. Port(service)]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"Port {service.Port}", result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(service.Data, "pg")));
    }

    static string[] Port(Service service) => ["--port", service.Port.ToString(CultureInfo.InvariantCulture)];
}
