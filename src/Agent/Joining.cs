using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent;

/// <summary>Makes this machine a host of an installation.</summary>
static class Joining
{
    const int FingerprintLength = 64;

    /// <summary>Joins with a token; the key is made here and never leaves.</summary>
    /// <exception cref="BadInputException">Address or token are not of the right form, or this host has joined already.</exception>
    /// <exception cref="DeniedException">The token was used, has expired or is unknown; or the node is not the token's.</exception>
    public static async Task<HostId> Join(string url, string token, AgentState state, string? name, bool mover,
        IReadOnlyDictionary<string, string>? labels, CancellationToken ct)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address)
            || address.Scheme != Uri.UriSchemeHttps) throw new BadInputException("url", $"'{url}' is no address of the agents' listener.",
            "It looks like https://backup.example.net:8421");
        if (!token.StartsWith("bdr1_", StringComparison.Ordinal) || token.LastIndexOf('_') is var cut
            && token.Length - cut - 1 != FingerprintLength)
            throw new BadInputException("token", "This is no join token.", "Copy it whole from the console under Agents, Add host.");
        if (File.Exists(state.MembershipFile)) throw new BadInputException("state",
            $"This host has joined already ({state.MembershipFile}).", "Uninstall the agent first, or give another --state.");
        state.Make();
        var (key, csr) = AgentIdentity.NewKey();
        using var client = await AgentApiClient.Joining(address, token[^FingerprintLength..], ct);
        var hostName = string.IsNullOrWhiteSpace(name) ? Environment.MachineName : name;
        var answer = await client.Join(new JoinRequest
        {
            Token = token,
            CsrPem = csr,
            HostName = hostName,
            OperatingSystem = OperatingSystemName(),
            AgentVersion = AgentCommand.Version,
            ProtocolVersion = AgentProtocol.Version,
            Mover = mover,
            Labels = labels,
        }, ct);
        PrivateFile.Write(state.KeyFile, key);
        PrivateFile.Write(state.CertificateFile, answer.CertificatePem);
        PrivateFile.Write(state.AuthorityFile, answer.AuthorityPem);
        // last: it says that all is there
        PrivateFile.Write(state.MembershipFile, JsonSerializer.Serialize(
            new Membership(answer.HostId, answer.HostName ?? hostName, [address.ToString()]), StateJson.Default.Membership));
        return answer.HostId;
    }

    static string OperatingSystemName()
    {
        const string release = "/etc/os-release", wanted = "PRETTY_NAME=";
        var line = File.Exists(release) ? File.ReadLines(release).FirstOrDefault(text => text.StartsWith(wanted, StringComparison.Ordinal))
            : null;
        return line is null ? System.Runtime.InteropServices.RuntimeInformation.OSDescription : line[wanted.Length..].Trim('"');
    }
}
