using System.Text;
using System.Xml.Linq;
using BackupDr.Scheduler.Secrets;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Npgsql;

namespace BackupDr.Scheduler.Access;

/// <summary>Keeps the keys of form tokens sealed in the database, so that a form issued by one node is good on all.</summary>
/// <remarks>The framework's interface is synchronous; it is called at the first form and about once a day.</remarks>
public sealed class KeyRing(NpgsqlDataSource source, SealedSecrets secrets) : IXmlRepository
{
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        using var command = source.CreateCommand("select name, sealed from data_protection_key");
        using var reader = command.ExecuteReader();
        var keys = new List<XElement>();
        while (reader.Read())
        {
            var plain = secrets.Open("data_protection_key", reader.GetString(0), "sealed", reader.GetFieldValue<byte[]>(1));
            keys.Add(XElement.Parse(Encoding.UTF8.GetString(plain)));
        }
        return keys;
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        var plain = Encoding.UTF8.GetBytes(element.ToString(SaveOptions.DisableFormatting));
        foreach (var (fingerprint, key) in secrets.MayBeInUse())
            if (Store(friendlyName, key.Seal("data_protection_key", friendlyName, "sealed", plain), fingerprint)) return;
        throw secrets.Behind();
    }

    /// <summary>Stores it where the key that sealed it is in use; the statement holds that off from changing.</summary>
    bool Store(string name, byte[] box, byte[] fingerprint)
    {
        using var command = source.CreateCommand($"""
            insert into data_protection_key (name, sealed)
            (select $1, $2 from sealing_key where {SealedSecrets.UsedFingerprint} = $3 for share)
            on conflict (name) do update set sealed = excluded.sealed
            """);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = name });
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = box });
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = fingerprint });
        return command.ExecuteNonQuery() == 1;
    }
}
